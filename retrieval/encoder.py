"""Texts to unit vectors. The encoder that ingest, search and evaluation share runs on ONNX Runtime, without torch."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.batches import Batch, OnBatch, batches, ignore
from retrieval.errors import ModelError
from retrieval.model_folder import GRAPH, TOKENIZER, ModelFolder
from retrieval.query_map import QUERY_MAP, read_query_map
from retrieval.types import FloatArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]  # it ships no types
    from tokenizers import Tokenizer

_TOKENIZE_AT_ONCE = 1024

Ids = NDArray[np.int64]


class TokenCounter(Protocol):
    """Counts tokens as the model's own tokenizer does."""

    @property
    def tokenizer_json(self) -> str:
        """The Hugging Face tokenizer.json, with truncation and padding off."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, untruncated, without the special tokens that the model adds."""
        ...


class Encoder(TokenCounter, Protocol):
    """Turns texts into unit vectors; safe to call from several threads."""

    @property
    def fingerprint(self) -> str:
        """Which model it is: 16 hexadecimal characters."""
        ...

    @property
    def passage_fingerprint(self) -> str:
        """What the vectors of passages are, and what they are kept under; equal for models that differ in queries."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut to this many tokens, special tokens included."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows of shape (len(texts), dimensions), in the order given."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows of shape (len(texts), dimensions), in the order given."""
        ...


class OnnxEncoder:
    """An exported model, ready to encode.

    Give many passages at once: they are sorted by length, and a batch holds about a thousand tokens.
    """

    def __init__(self, folder: ModelFolder, *, threads: int = 0) -> None:
        """Load the model; `threads` 0 means one per core. Raises ModelError if the files are not a working model."""
        self.folder = folder
        self._recipe = folder.manifest.recipe
        self._json = folder.tokenizer_json()
        self._tokenizer = _tokenizer(folder.path, self._json)
        self._tokenizer.enable_truncation(self._recipe.max_tokens)
        self._threads = threads or _cores()
        self._session = _session(folder, self._threads)
        self._inputs = _inputs(folder, self._session)
        self._query_map = read_query_map(folder.path / QUERY_MAP, self.dimensions) if self._recipe.query_map else None
        self._bulk_session: InferenceSession | None = None
        self._making = Lock()
        self.on_batch: OnBatch = ignore
        self._workers = ThreadPoolExecutor(self._threads, thread_name_prefix="encoding")  # started when first needed

    @classmethod
    def load(cls, path: Path, *, threads: int = 0) -> Self:
        """Load an exported folder, checking it against its manifest."""
        return cls(ModelFolder.read(path), threads=threads)

    @property
    def fingerprint(self) -> str:
        """Which model it is: 16 hexadecimal characters."""
        return self.folder.manifest.fingerprint

    @cached_property
    def passage_fingerprint(self) -> str:
        """What the vectors of passages are, and what they are kept under."""
        return self._recipe.passage_fingerprint

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self.folder.manifest.dimensions

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut to this many tokens, special tokens included."""
        return self._recipe.max_tokens

    @cached_property
    def tokenizer_json(self) -> str:
        """The Hugging Face tokenizer.json, with truncation and padding off."""
        return str(self._counter.to_str())

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, untruncated, without the special tokens that the model adds."""
        encodings = self._counter.encode_batch_fast([_valid(text) for text in texts], add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows of shape (len(texts), dimensions); ModelError if the model gives no finite vector."""
        vectors = self._encode("query", [self._recipe.query_prompt + text for text in texts])
        return vectors if self._query_map is None else self._unit(vectors @ self._query_map.T, rows=len(texts))

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows of shape (len(texts), dimensions); ModelError if the model gives no finite vector."""
        return self._encode("passage", [self._recipe.passage_prompt + text for text in texts])

    @cached_property
    def _counter(self) -> "Tokenizer":
        return _tokenizer(self.folder.path, self._json)

    def _encode(self, kind: Literal["query", "passage"], texts: Sequence[str]) -> FloatArray:
        """Encode one batch with every thread, many with a batch a thread: sharing one, they wait for the slowest.

        Calls beside each other share these threads, so that none is idle while the last batches of one call end.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        tokens = self._tokens(texts)
        rows_of = list(batches([ids.shape[1] for ids in tokens]))
        many = self._threads > 1 and len(rows_of) >= 2 * self._threads
        session = self._bulk() if many else self._session

        def run(rows: list[int]) -> None:
            vectors[rows] = self._run(session, [tokens[row] for row in rows])
            self.on_batch(Batch(kind, len(rows), len(rows) * max(tokens[row].shape[1] for row in rows)))

        for _ in self._workers.map(run, rows_of) if many else map(run, rows_of):
            pass
        return vectors

    def _bulk(self) -> "InferenceSession":
        """Return a session in which every run has one thread."""
        with self._making:
            if self._bulk_session is None:
                self._bulk_session = _session(self.folder, 1)
            return self._bulk_session

    def _tokens(self, texts: Sequence[str]) -> list[Ids]:
        """Token ids above type ids of each text: an array of shape (2, tokens)."""
        tokens: list[Ids] = []
        for start in range(0, len(texts), _TOKENIZE_AT_ONCE):
            clean = [_valid(text) for text in texts[start : start + _TOKENIZE_AT_ONCE]]
            encodings = self._tokenizer.encode_batch_fast(clean)
            tokens += [np.array([encoding.ids, encoding.type_ids], dtype=np.int64) for encoding in encodings]
        return tokens

    def _run(self, session: "InferenceSession", tokens: Sequence[Ids]) -> FloatArray:
        feed, mask = self._feed(tokens)
        try:
            output = np.asarray(session.run(None, feed)[0], dtype=np.float32)
        except Exception as error:  # ONNX Runtime raises its own kinds, one a status code
            raise ModelError(f"{self.folder.path} failed on {mask.shape} tokens: {error}; export it again.") from error
        return self._unit(_pooled(output, mask, self._recipe.pooling), rows=len(tokens))

    def _feed(self, tokens: Sequence[Ids]) -> tuple[dict[str, NDArray[np.integer[Any]]], Ids]:
        shape = (len(tokens), max(1, *(ids.shape[1] for ids in tokens)))
        feed = {
            "input_ids": np.full(shape, self.folder.manifest.pad_id, dtype=np.int64),
            "attention_mask": np.zeros(shape, dtype=np.int64),
            "token_type_ids": np.zeros(shape, dtype=np.int64),
        }
        for row, ids in enumerate(tokens):
            length = ids.shape[1]
            feed["input_ids"][row, :length] = ids[0]
            feed["token_type_ids"][row, :length] = ids[1]
            feed["attention_mask"][row, :length] = 1
        wanted: dict[str, NDArray[np.integer[Any]]] = {
            name: feed[name].astype(kind, copy=False) for name, kind in self._inputs.items()
        }
        return wanted, feed["attention_mask"]

    def _unit(self, vectors: FloatArray, *, rows: int) -> FloatArray:
        if vectors.shape != (rows, self.dimensions):
            raise ModelError(
                f"{self.folder.path} gave an array of shape {vectors.shape} where ({rows}, {self.dimensions}) was "
                "due; its manifest and its graph disagree. Export the model again."
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
            raise ModelError(f"{self.folder.path} gave a vector that is zero or not finite; use another model.")
        return np.asarray(vectors / lengths, dtype=np.float32)


def plain_tokenizer_json(folder: ModelFolder) -> str:
    """Return what `tokenizer_json` of the folder's encoder is, without loading the model."""
    return str(_tokenizer(folder.path, folder.tokenizer_json()).to_str())


def _inputs(folder: ModelFolder, session: "InferenceSession") -> dict[str, type[np.integer[Any]]]:
    """The graph's inputs and their integer types."""
    kinds: dict[str, type[np.integer[Any]]] = {
        item.name: np.int32 if "int32" in item.type else np.int64 for item in session.get_inputs()
    }
    if unknown := sorted(kinds.keys() - {"input_ids", "attention_mask", "token_type_ids"}):
        raise ModelError(f"{folder.path / GRAPH} wants the input {unknown[0]!r}; only text encoders are supported.")
    return kinds


def _cores() -> int:
    # A container's CPU set, not the machine's; process_cpu_count comes with Python 3.13 only.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pooled(output: FloatArray, mask: Ids, pooling: str) -> FloatArray:
    """Pool token vectors (n, tokens, d) to (n, d); what the graph has pooled already passes through."""
    if output.ndim != 3:
        return output
    if pooling == "cls":
        return np.asarray(output[:, 0])
    if pooling != "mean":
        raise ModelError(
            f"The graph leaves {pooling!r} pooling to the encoder, which knows mean and cls; export it again."
        )
    weights = mask[:, :, None].astype(np.float32)
    return np.asarray((output * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1), dtype=np.float32)


def _valid(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD, which the tokenizer could not take."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _tokenizer(path: Path, text: str) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises plain Exception
        raise ModelError(f"{path / TOKENIZER} is not a tokenizer ({error}); export the model again.") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _session(folder: ModelFolder, threads: int) -> "InferenceSession":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL if folder.manifest.optimized else level.ORT_ENABLE_ALL
    # Worker threads wait actively for a fifth of a millisecond, and not between two texts: the next operator of a short
    # query comes sooner than that (a tenth saved), and longer spinning takes the core from whoever shares it.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "200")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Operators are cut finer than there are threads, so that the faster core takes more of the blocks.
    options.add_session_config_entry("session.dynamic_block_base", "4")
    try:
        return ort.InferenceSession(str(folder.path / GRAPH), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own kinds, one a status code
        raise ModelError(f"{folder.path / GRAPH} cannot be loaded: {error}; export the model again.") from error
