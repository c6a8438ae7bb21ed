"""From sources to an index: parse, chunk, embed, commit to the catalog, apply to the store; audit and doctor."""
