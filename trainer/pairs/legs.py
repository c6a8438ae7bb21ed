"""Both legs of a collection, ready for thousands of queries and for passages that are none of its chunks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.catalog import Collection
from retrieval.encoder import Encoder
from retrieval.home import Home
from retrieval.types import FloatArray
from trainer.pairs.consistency import Positives
from trainer.pairs.corpus import Asked, Corpus
from trainer.pairs.passages import Passage
from trainer.pairs.vectors import OnProgress, PassageVectors


@dataclass(frozen=True, slots=True, eq=False)
class Legs:
    """A collection's chunks under its model, which is the base of what is trained."""

    corpus: Corpus
    encoder: Encoder
    vectors: PassageVectors

    @classmethod
    def of(cls, home: Home, collection: Collection, groups: Mapping[str, str], on_progress: OnProgress) -> "Legs":
        """Read the collection; `groups` names each document and its near copies, by document id."""
        encoder = home.encoder(collection)
        fingerprint = home.catalog.models.get(collection.config.model).passage_fingerprint
        vectors = PassageVectors(home.catalog, encoder, fingerprint, on_progress)
        return cls(Corpus.read(home.catalog, collection, vectors, groups), encoder, vectors)

    def asked(self, queries: Sequence[str]) -> Asked:
        """Return queries as both legs take them, each encoded once."""
        texts = list(dict.fromkeys(queries))
        rows = {text: row for row, text in enumerate(texts)}
        encoded: FloatArray = self.encoder.encode_queries(texts) if texts else self.corpus.vectors[:0]
        return Asked(encoded[[rows[query] for query in queries]], self.corpus.asked_terms(queries))

    def positives(self, passages: Sequence[Passage], rows: Sequence[int]) -> Positives:
        """Return masked passages as both legs see them, with the corpus' rows of the chunks that they were."""
        texts = [passage.text for passage in passages]
        keywords = self.corpus.weighed([passage.frequencies(self.corpus.analyzer) for passage in passages])
        return Positives(texts, self.vectors.of(texts), keywords, self.corpus.groups[list(rows)])
