"""Vectors of passages, kept in the catalog so that what was embedded once is not embedded again."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.catalog import Catalog, text_hash
from retrieval.encoder import Encoder
from retrieval.types import FloatArray

_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of the passages that had no vector have one by now, and the seconds that the others will take."""

    done: int
    total: int
    left_s: float


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """Gives the vectors of texts under one model; `fingerprint` is what the model calls its passages' vectors."""

    catalog: Catalog
    encoder: Encoder
    fingerprint: str
    on_progress: OnProgress = silent

    def of(self, texts: Sequence[str]) -> FloatArray:
        """Return unit rows of shape (len(texts), d), embedding first what was not embedded yet."""
        hashes = [text_hash(text) for text in texts]
        self._embed(dict(zip(hashes, texts, strict=True)))
        return self.known(hashes)

    def known(self, hashes: Sequence[str]) -> FloatArray:
        """Return the unit rows of texts that are embedded, by their hashes."""
        found = self.catalog.embeddings.get(self.fingerprint, set(hashes))
        rows = np.zeros((len(hashes), self.encoder.dimensions), np.float32)
        for row, key in enumerate(hashes):
            rows[row] = found[key]
        return rows

    def _embed(self, texts: Mapping[str, str]) -> None:
        known = self.catalog.embeddings.known(self.fingerprint, texts)
        missing = [key for key in texts if key not in known]
        started = time.monotonic()
        for start in range(0, len(missing), _AT_ONCE):
            batch = missing[start : start + _AT_ONCE]
            vectors = self.encoder.encode_passages([texts[key] for key in batch])
            self.catalog.embeddings.put(self.fingerprint, dict(zip(batch, vectors, strict=True)))
            done = start + len(batch)
            left_s = (time.monotonic() - started) / done * (len(missing) - done)
            self.on_progress(Progress(done, len(missing), left_s))
