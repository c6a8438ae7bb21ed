"""Make an index again from the catalog: nothing is parsed, and a model runs only for texts it never saw."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from indexer.fields import indexed_text
from retrieval.analysis import ANALYZER_VERSION, Analyzer
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.vocabulary import MAX_WORD
from retrieval.errors import StoreError
from retrieval.keyword import chunk_frequencies, length

if TYPE_CHECKING:
    from indexer.pipeline import Pipeline  # a search checks the analyzer, and has no use for a chunker


def analyzer_stamp(collection: Collection) -> str:
    """Return what the terms of a collection are made with."""
    return f"{ANALYZER_VERSION}/{collection.config.language}"


def check_analyzer(catalog: Catalog, collection: Collection) -> None:
    """Record the analyzer of a new collection; raise StoreError when terms of another one are in the catalog."""
    recorded = catalog.collections.setting(collection, "analyzer")
    if recorded is None:
        catalog.collections.put_setting(collection, "analyzer", analyzer_stamp(collection))
    elif recorded != analyzer_stamp(collection):
        raise StoreError(
            f"The keyword index of {collection.name!r} was made by analyzer {recorded}, and this is "
            f"{analyzer_stamp(collection)}; their terms would not meet. Run `tandem reindex`."
        )


def reanalyze(catalog: Catalog, collection: Collection) -> int:
    """Make the terms and the vocabulary again from the texts; return how many chunks there are."""
    analyzer = Analyzer(collection.config.language)
    vocabulary: Counter[str] = Counter()
    chunks = 0
    for texts in catalog.chunks.all_texts(collection):
        terms = []
        for text in texts:
            vector = chunk_frequencies(analyzer, indexed_text(text.document_id, text.title, text.chunk))
            terms.append((text.id, vector, length(vector)))
            words = set(analyzer.words(text.chunk.embedding_text(text.title)))
            vocabulary.update(word for word in words if len(word) <= MAX_WORD)
        catalog.chunks.reanalyze(terms)
        chunks += len(texts)
    catalog.vocabulary.replace(collection, vocabulary)
    catalog.collections.put_setting(collection, "analyzer", analyzer_stamp(collection))
    return chunks


def embed_missing(pipeline: "Pipeline", on_embedded: Callable[[int], None] = lambda _: None) -> int:
    """Embed every chunk that the pipeline's model has not embedded; return how many texts that were.

    What is embedded is kept slice by slice, and `on_embedded` is called with how many are: killed, it goes on from
    there.
    """
    catalog, collection = pipeline.catalog, pipeline.collection
    embedded = 0
    for texts in catalog.chunks.all_texts(collection):
        wanted = {text.text_hash: text.chunk.embedding_text(text.title) for text in texts}
        known = catalog.embeddings.known(pipeline.encoder.passage_fingerprint, wanted)
        missing = {key: text for key, text in wanted.items() if key not in known}
        before = embedded
        pipeline.embed(missing, on_kept=lambda kept, before=before: on_embedded(before + kept))  # type: ignore[misc]  # bound now
        embedded += len(missing)
    return embedded


def unembedded(catalog: Catalog, collection: Collection, fingerprint: str) -> set[str]:
    """Return the hashes of the collection's texts that have no vector of this passage fingerprint."""
    hashes = set(catalog.chunks.text_hashes(collection))
    return hashes - catalog.embeddings.known(fingerprint, hashes)
