"""Export a sentence-transformers model to ONNX, once, and prove that it gives the same vectors.

The folder is staged first: what a model is made of is linked into an empty one, and nothing that runs code.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.encoder import OnnxEncoder
from retrieval.errors import ModelError
from retrieval.model_folder import (
    TOKENIZER,
    Manifest,
    ModelFolder,
    Precision,
    Recipe,
    file_records,
    write_manifest,
)
from retrieval.model_source import SourceModel
from trainer.onnx_graph import write_graph
from trainer.staging import load_staged

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LEAST_COSINE: Mapping[Precision, float] = {Precision.FLOAT32: 0.9999, Precision.INT8: 0.95}
"""The parity every sample text must reach."""

SAMPLES: Sequence[str] = (
    "",
    "search",
    "How do I run a blocking function without freezing the event loop?",
    "Übergrößenträger, naïve café — “quoted” …",
    "全文検索とベクトル検索を組み合わせる 검색 поиск البحث",
    "def to_thread(func, /, *args): return await loop.run_in_executor(None, func)  # XS-23 E0425 v1.2.3",
    "A paragraph of ordinary writing, neither short nor long, that says little but says it in whole sentences. " * 6,
    "longer than any model takes " * 900,
    "x" * 5000,
)

_NEEDS = (
    "Exporting a model needs torch and sentence-transformers ({error}). Install the extra `train` (pip install "
    "'tandem-search[train]'), or copy a folder that was exported elsewhere and run `tandem models add FOLDER`."
)


def export_model(source: Path, target: Path, *, precision: Precision = Precision.FLOAT32) -> None:
    """Export the model in `source` into the folder `target`, which then loads without torch.

    Raises ModelError if torch is absent, the model is unsupported, or a vector differs from sentence-transformers'.
    """
    model = SourceModel.read(source)
    recipe = model.recipe(precision)
    target.mkdir(parents=True, exist_ok=True)
    with _quiet(), tempfile.TemporaryDirectory(dir=target) as scratch:
        pipeline = _load(model, recipe, Path(scratch))
        write_graph(pipeline, target, precision=precision, scratch=Path(scratch))
        pad_id = _write_tokenizer(pipeline, target)
        expected = [_expected(pipeline, prompt) for prompt in (recipe.query_prompt, recipe.passage_prompt)]
    manifest = _manifest(target, source, recipe, pad_id=pad_id, dimensions=expected[0].shape[1])
    write_manifest(target, manifest)
    parity = _parity(target, expected, LEAST_COSINE[precision])
    write_manifest(target, replace(manifest, parity=parity))


def export_in_subprocess(source: Path, target: Path, *, precision: Precision = Precision.FLOAT32) -> None:
    """As export_model, in a child process, so that torch's memory is freed when it ends."""
    command = [sys.executable, "-P", "-m", "trainer.export", str(source.absolute()), str(target.absolute())]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment = {**os.environ, **offline, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = subprocess.run(  # noqa: S603  # our own interpreter and module; the paths are arguments, not shell text
        [*command, "--precision", precision.value], capture_output=True, text=True, env=environment, check=False
    )
    if child.returncode != 0:
        raise ModelError(_child_error(child.stdout) or _crash(source, child))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one export; a ModelError becomes one JSON line on stdout and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m trainer.export", description="Export one model to ONNX.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--precision", type=Precision, choices=list(Precision), default=Precision.FLOAT32)
    options = parser.parse_args(arguments)
    try:
        export_model(options.source, options.target, precision=options.precision)
    except ModelError as error:
        print(json.dumps({"error": str(error)}))  # noqa: T201  # the parent reads it
        return 1
    return 0


def _load(model: SourceModel, recipe: Recipe, scratch: Path) -> "SentenceTransformer":
    try:
        # Eager attention exports to fewer operators and runs faster in ONNX Runtime than the scaled-dot-product kind.
        return load_staged(model, recipe, scratch, attention="eager")
    except ImportError as error:
        raise ModelError(_NEEDS.format(error=error)) from None


def _write_tokenizer(pipeline: "SentenceTransformer", target: Path) -> int:
    """Write the fast tokenizer with truncation and padding off; return the id of the padding token."""
    tokenizer = pipeline.tokenizer
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(target / TOKENIZER), pretty=False)
    return int(tokenizer.pad_token_id or 0)


def _expected(pipeline: "SentenceTransformer", prompt: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    vectors = pipeline.encode(list(SAMPLES), prompt=prompt, normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)


def _parity(target: Path, expected: Sequence[np.ndarray[Any, np.dtype[np.float32]]], least: float) -> float:
    """The smallest cosine between the export's vectors and sentence-transformers'; ModelError if below `least`."""
    encoder = OnnxEncoder(ModelFolder.read(target))
    queries, passages = encoder.encode_queries(SAMPLES), encoder.encode_passages(SAMPLES)
    cosines = np.concatenate([(queries * expected[0]).sum(axis=1), (passages * expected[1]).sum(axis=1)])
    worst = int(cosines.argmin())
    if not cosines[worst] >= least:
        text = SAMPLES[worst % len(SAMPLES)][:40]
        raise ModelError(
            f"The export differs from sentence-transformers: cosine {cosines[worst]:.6f} on {text!r}, at least {least} "
            "is needed. This model is not supported."
        )
    return round(float(cosines[worst]), 6)


def _manifest(target: Path, source: Path, recipe: Recipe, *, pad_id: int, dimensions: int) -> Manifest:
    packages = ("torch", "transformers", "sentence-transformers", "onnxruntime", "tokenizers")
    return Manifest(
        name=source.name,
        fingerprint=recipe.fingerprint,
        dimensions=dimensions,
        recipe=recipe,
        pad_id=pad_id,
        source=str(source),
        exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
        files=file_records(target),
        optimized=True,
        exporter={package: version(package) for package in packages},
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """The libraries' progress bars and the tracer's warnings tell the user nothing; parity is checked afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from transformers.utils import logging
        except ImportError as error:
            raise ModelError(_NEEDS.format(error=error)) from None
        before = logging.get_verbosity()
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            logging.set_verbosity(before)
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _child_error(output: str) -> str:
    for line in reversed(output.splitlines()):
        try:
            return str(json.loads(line)["error"])
        except (ValueError, KeyError, TypeError):
            continue
    return ""


def _crash(source: Path, child: "subprocess.CompletedProcess[str]") -> str:
    last = (child.stderr.strip().splitlines() or ["no message"])[-1]
    return f"Exporting {source} failed with exit code {child.returncode}: {last}. Is there enough memory and disk?"


if __name__ == "__main__":
    sys.exit(main())
