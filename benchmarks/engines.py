"""Other engines behind one protocol: each is given the same chunks and vectors, and returns documents."""

import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from retrieval.types import FloatArray

DEPTH = 100
"""Chunks that a peer is asked for, so that ten documents come of them."""

EncodeQuery = Callable[[str], FloatArray]


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk as an engine is given it: the text that Tandem embeds, and its unit vector of shape (d,)."""

    document: str
    text: str
    vector: FloatArray


class Peer(Protocol):
    """An engine to compare with, used as its documentation shows for hybrid search."""

    package: ClassVar[str]

    def index(self, pieces: Sequence[Piece]) -> None:
        """Build the index."""
        ...

    def search(self, text: str) -> list[str]:
        """Return documents, best first, each where its best chunk stands."""
        ...


class Txtai:
    """txtai: Faiss and its own BM25, weighted half and half."""

    package: ClassVar[str] = "txtai"

    def __init__(self, encode: EncodeQuery) -> None:
        self._encode = encode
        self._vectors: Mapping[str, FloatArray] = {}
        self._documents: list[str] = []
        embeddings: Any = importlib.import_module("txtai").Embeddings
        transform = lambda texts: self._transform(texts)  # noqa: E731  # a method is no function to txtai
        self._engine = embeddings({"method": "external", "transform": transform, "hybrid": True})

    def _transform(self, texts: Iterable[str]) -> FloatArray:
        rows = [self._vectors[text] if text in self._vectors else self._encode(text) for text in texts]
        return np.stack(rows).astype(np.float32)

    def index(self, pieces: Sequence[Piece]) -> None:
        """Build the index; vectors are looked up by text."""
        self._vectors = {piece.text: piece.vector for piece in pieces}
        self._documents = [piece.document for piece in pieces]
        self._engine.index((place, piece.text, None) for place, piece in enumerate(pieces))

    def search(self, text: str) -> list[str]:
        """Search both legs."""
        return _distinct(self._documents[int(place)] for place, _ in self._engine.search(text, DEPTH))


class Lance:
    """LanceDB: an exact scan of vectors and its full-text index, fused by reciprocal ranks."""

    package: ClassVar[str] = "lancedb"

    def __init__(self, encode: EncodeQuery) -> None:
        self._encode = encode
        self._folder = tempfile.TemporaryDirectory(prefix="tandem-benchmark-")
        lancedb: Any = importlib.import_module("lancedb")
        self._fts: Any = importlib.import_module("lancedb.index").FTS
        self._database = lancedb.connect(self._folder.name)
        self._table: Any = None

    def index(self, pieces: Sequence[Piece]) -> None:
        """Write a table and build its full-text index."""
        rows = [{"document": piece.document, "text": piece.text, "vector": piece.vector} for piece in pieces]
        self._table = self._database.create_table("chunks", rows)
        self._table.create_index("text", config=self._fts())

    def search(self, text: str) -> list[str]:
        """Search both legs."""
        query = self._table.search(query_type="hybrid", vector_column_name="vector", fts_columns="text")
        found = query.vector(self._encode(text)).text(text).limit(DEPTH).to_arrow()
        return _distinct(found["document"].to_pylist())


PEERS: tuple[type[Txtai] | type[Lance], ...] = (Txtai, Lance)


def installed() -> list[type[Txtai] | type[Lance]]:
    """Return the peers that are installed here."""
    return [peer for peer in PEERS if importlib.util.find_spec(peer.package)]


def _distinct(documents: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(documents))
