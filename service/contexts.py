"""A context for a language model, made of what a search found."""

from retrieval.catalog import Collection
from retrieval.context import Budget, Context, packed
from retrieval.home import Home
from retrieval.results import SearchResult


def context_of(home: Home, collection: Collection, result: SearchResult, budget: Budget) -> Context:
    """Pack the passages of a result, with their neighbours, counting tokens by the collection's own model."""
    if not result.hits:
        return Context("", 0, ())
    ids = (passage.chunk_id for hit in result.hits for passage in hit.passages)
    chunks = home.catalog.reading.around(ids, budget.neighbours)
    return packed(result.hits, chunks, home.encoder(collection).count_tokens, budget)
