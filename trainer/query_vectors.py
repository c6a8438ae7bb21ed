"""Queries encoded in one batch, for a searcher that asks for them one at a time."""

from collections.abc import Iterable, Sequence

import numpy as np

from retrieval.encoder import Encoder
from retrieval.types import FloatArray


class BatchedQueries:
    """An encoder that has encoded the queries it will be asked for; other texts pass through to the one it wraps."""

    def __init__(self, encoder: Encoder, queries: Iterable[str]) -> None:
        texts = list(dict.fromkeys(queries))
        self._encoder = encoder
        self._vectors = dict(zip(texts, encoder.encode_queries(texts), strict=True))

    @property
    def fingerprint(self) -> str:
        """The wrapped encoder's."""
        return self._encoder.fingerprint

    @property
    def passage_fingerprint(self) -> str:
        """The wrapped encoder's."""
        return self._encoder.passage_fingerprint

    @property
    def dimensions(self) -> int:
        """The wrapped encoder's."""
        return self._encoder.dimensions

    @property
    def max_tokens(self) -> int:
        """The wrapped encoder's."""
        return self._encoder.max_tokens

    @property
    def tokenizer_json(self) -> str:
        """The wrapped encoder's."""
        return self._encoder.tokenizer_json

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with the wrapped encoder's tokenizer."""
        return self._encoder.count_tokens(texts)

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows of shape (len(texts), dimensions), from the batch where all of them are in it."""
        if texts and all(text in self._vectors for text in texts):
            return np.stack([self._vectors[text] for text in texts])
        return self._encoder.encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        """Encode with the wrapped encoder."""
        return self._encoder.encode_passages(texts)
