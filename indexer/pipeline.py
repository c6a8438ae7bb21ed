"""One document at a time in, chunks with both legs' needs out; one transaction a batch."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event

from indexer.chunking import CHUNKER_VERSION, Chunker
from indexer.fields import FIELDS_VERSION, indexed_text
from retrieval.analysis import ANALYZER_VERSION, Analyzer
from retrieval.catalog import Batch, Catalog, Collection, CollectionConfig, DocumentRecord, IndexedChunk, text_hash
from retrieval.catalog.due_vectors import NotEmbedded
from retrieval.catalog.unchanged import Still
from retrieval.encoder import Encoder
from retrieval.keyword import chunk_frequencies, length
from retrieval.types import Chunk, Document, FloatArray

SLICE = 64
"""Texts embedded between two commits of embeddings."""
SLICES_AT_ONCE = 3
"""One is embedded, the next in line for the encoder's threads, the last being kept, which a commit elsewhere may delay:
these a kill can cost, and these Ctrl-C waits for, at the most."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything a document passes through on its way into the catalog."""

    catalog: Catalog
    collection: Collection
    encoder: Encoder
    chunker: Chunker
    analyzer: Analyzer
    encoder_of: Callable[[str], Encoder] | None = None
    """Loads another version, should the collection's model become that one while documents are on their way."""
    still: Still = field(default_factory=dict)
    """What documents must still be when they are replaced."""

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        collection: Collection,
        encoder: Encoder,
        *,
        encoder_of: Callable[[str], Encoder] | None = None,
    ) -> "Pipeline":
        """Assemble the pipeline that a collection's config asks for."""
        config = collection.config
        chunker = Chunker(encoder.tokenizer_json, max_tokens=config.chunk_tokens, window=encoder.max_tokens)
        return cls(catalog, collection, encoder, chunker, Analyzer(config.language), encoder_of)

    @property
    def settings(self) -> Mapping[str, object]:
        """What decides, besides the source, what a document becomes."""
        return pipeline_settings(self.collection.config, self.encoder.tokenizer_json, self.encoder.max_tokens)

    def prepare(self, document: Document, item_key: str) -> DocumentRecord:
        """Chunk and analyse a document."""
        chunks = tuple(self._indexed(document, chunk) for chunk in self.chunker.chunk(document))
        return DocumentRecord(document, item_key, chunks)

    def _indexed(self, document: Document, chunk: Chunk) -> IndexedChunk:
        terms = chunk_frequencies(self.analyzer, indexed_text(document.id, document.title, chunk))
        return IndexedChunk(chunk, text_hash(chunk.embedding_text(document.title)), terms, length(terms))

    def missing(self, records: Sequence[DocumentRecord]) -> dict[str, str]:
        """Return the texts of these records that the model has not embedded yet, by hash."""
        texts = {
            indexed.text_hash: indexed.chunk.embedding_text(record.document.title)
            for record in records
            for indexed in record.chunks
        }
        known = self.catalog.embeddings.known(self.encoder.passage_fingerprint, texts)
        return {key: text for key, text in texts.items() if key not in known}

    def embed(
        self, texts: Mapping[str, str], *, stop: Event | None = None, on_kept: Callable[[int], None] = lambda _: None
    ) -> None:
        """Embed texts, longest first, and keep each slice as soon as it is done; leave the rest when `stop` is set.

        `on_kept` is called after each slice with how many texts are done with.
        """
        keys = sorted(texts, key=lambda key: (-len(texts[key]), key))

        def embed_slice(part: Sequence[str]) -> None:
            if not (stop and stop.is_set()):
                self._keep(part, self.encoder.encode_passages([texts[key] for key in part]))

        with ThreadPoolExecutor(SLICES_AT_ONCE, thread_name_prefix="slice") as pool:
            slices = [keys[start : start + SLICE] for start in range(0, len(keys), SLICE)]
            for number, _ in enumerate(pool.map(embed_slice, slices), 1):
                on_kept(min(number * SLICE, len(keys)))

    def _keep(self, hashes: Sequence[str], vectors: FloatArray) -> None:
        self.catalog.embeddings.put(self.encoder.passage_fingerprint, dict(zip(hashes, vectors, strict=True)))

    def commit(self, batch: Batch) -> None:
        """Write a batch of documents whose texts are embedded: one transaction.

        If another model has been promoted since, its vectors come first: what is committed, the active model can find.
        Raises DocumentChanged, writing nothing, where a document is not what `still` says.
        """
        embedded_by = {self.encoder.passage_fingerprint}
        while True:
            try:
                self.catalog.documents.put(
                    self.collection, batch, self.analyzer.words, embedded_by=embedded_by, still=self.still
                )
            except NotEmbedded as due:
                if self.encoder_of is None:
                    raise
                other = replace(self, encoder=self.encoder_of(due.version))
                other.embed(other.missing(batch.records))
                embedded_by.add(other.encoder.passage_fingerprint)
            else:
                return


def pipeline_settings(config: CollectionConfig, tokenizer_json: str, window: int) -> Mapping[str, object]:
    """Return what decides, besides the source, what a document becomes.

    Of the model only its tokenizer and its window matter: another one's weights change no document.
    """
    return {
        "chunker": CHUNKER_VERSION,
        "chunk_tokens": config.chunk_tokens,
        "tokenizer": hashlib.blake2b(tokenizer_json.encode(), digest_size=16).hexdigest(),
        "window": window,
        "analyzer": f"{ANALYZER_VERSION}/{FIELDS_VERSION}",
        "language": config.language,
    }
