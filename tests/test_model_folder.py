"""Distrusting a model folder: what its recipe is, what is refused, and which changes are noticed."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from retrieval.errors import FingerprintMismatch, ModelError
from retrieval.model_folder import GRAPH, MANIFEST, ModelFolder, file_records
from retrieval.model_source import SourceModel
from retrieval.models import ModelStore
from retrieval.onnx_files import external_files
from retrieval.settings import Settings
from tests.test_models import MODULES, source_folder
from tests.tiny_model import build_tiny_model


def edited(folder: Path, **changes: Any) -> Path:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **changes}))
    return folder


def test_a_fingerprint_covers_what_shapes_a_vector_and_nothing_else(tmp_path: Path) -> None:
    base = SourceModel.read(source_folder(tmp_path / "base")).recipe()
    same: dict[str, dict[str, Any]] = {
        "elsewhere": {},
        "resaved": {"config": {"max_position_embeddings": 512, "model_type": "bert", "transformers_version": "5.1"}},
        "new_layout": {"pooling": {"pooling_mode": "mean", "include_prompt": True}},
    }
    other: dict[str, dict[str, Any]] = {
        "heads": {"config": {"model_type": "bert", "max_position_embeddings": 512, "num_attention_heads": 3}},
        "cls": {"pooling": {"pooling_mode_cls_token": True}},
        "shorter": {"sentence_bert_config": {"max_seq_length": 64}},
        "prompted": {"config_sentence_transformers": {"prompts": {"query": "q: "}}},
        "lowered": {"sentence_bert_config": {"max_seq_length": 128, "do_lower_case": True}},
        "tokens": {"tokenizer": {"model": {"x": 1}}},
        "unscaled": {"modules": MODULES[:2]},
    }
    for name, files in same.items():
        recipe = SourceModel.read(source_folder(tmp_path / name, **files)).recipe()
        assert recipe.fingerprint == base.fingerprint, name
    seen = {
        SourceModel.read(source_folder(tmp_path / name, **files)).recipe().fingerprint for name, files in other.items()
    }
    assert len(seen | {base.fingerprint}) == len(other) + 1


def test_the_recipe_is_read_as_sentence_transformers_reads_it(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query"}
    files: dict[str, Any] = {
        "config": {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1},
        "sentence_bert_config": None,
        "tokenizer_config": {"model_max_length": 10**30},
        "config_sentence_transformers": prompts,
        "pooling": {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True},
    }
    recipe = SourceModel.read(source_folder(tmp_path / "m", **files)).recipe()
    assert (recipe.max_tokens, recipe.pooling, recipe.normalize) == (512, "cls+max", True)
    assert (recipe.query_prompt, recipe.passage_prompt) == ("query: ", "passage: ")


def test_a_default_prompt_serves_roles_that_have_none(tmp_path: Path) -> None:
    prompts = {"prompts": {"any": "text: "}, "default_prompt_name": "any"}
    recipe = SourceModel.read(source_folder(tmp_path / "m", config_sentence_transformers=prompts)).recipe()
    assert (recipe.query_prompt, recipe.passage_prompt) == ("text: ", "text: ")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"modules": [*MODULES, {"path": "3_X", "type": "sentence_transformers.models.WordWeights"}]}, "WordWeights"),
        ({"modules": [{"path": "", "type": "os.system"}]}, "unsupported module"),
        ({"modules": [MODULES[0], {**MODULES[1], "path": "../../etc"}]}, "outside its own folder"),
        ({"modules": [MODULES[0], {**MODULES[1], "path": "/etc"}]}, "outside its own folder"),
        ({"modules": {"a": 1}}, "not a list"),
        ({"pooling": {"pooling_mode": "mean", "include_prompt": False}}, "prompt"),
        ({"config_sentence_transformers": {"prompts": {"query": 3}}}, "prompts"),
        ({"tokenizer": None}, "vocab.txt"),
        ({"config": None}, "config.json"),
        ({"config": [1]}, "not a JSON object"),
    ],
)
def test_a_folder_that_cannot_be_exported_says_why(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        SourceModel.read(source_folder(tmp_path / "m", **files)).recipe()


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    source = source_folder(tmp_path / "m")
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin.*pickle.*safetensors"):
        SourceModel.read(source)


def test_an_adapter_is_refused(tmp_path: Path) -> None:
    source = source_folder(tmp_path / "m", adapter_config={})
    with pytest.raises(ModelError, match="adapter"):
        SourceModel.read(source)


def test_an_oversized_manifest_is_not_read(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "m")
    (folder / MANIFEST).write_text(" " * 2_000_000)
    with pytest.raises(ModelError, match="2000000 bytes"):
        ModelFolder.read(folder)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"fingerprint": "0123456789abcdef"}, FingerprintMismatch, "edited"),
        ({"fingerprint": "not-hex"}, ModelError, "hexadecimal"),
        ({"format": 99}, ModelError, "format 99"),
        ({"recipe": {}}, ModelError, "not a manifest"),
        ({"surprise": 1}, ModelError, "not a manifest"),
        ({"dimensions": -1}, ModelError, "positive"),
        ({"files": {}}, ModelError, "does not list"),
        ({"files": {"../x": {"size_bytes": 1, "sha256": ""}}}, ModelError, "plain file name"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[ModelError], message: str
) -> None:
    folder = edited(build_tiny_model(tmp_path / "m"), **changes)
    with pytest.raises(error, match=message):
        ModelFolder.read(folder)


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "m")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes().replace(b"car", b"cbr"))
    with pytest.raises(FingerprintMismatch, match="not the file that was exported"):
        ModelFolder.read(folder)
    tokenizer.write_bytes(b"{}")
    with pytest.raises(FingerprintMismatch, match="2 bytes"):
        ModelFolder.read(folder)


def test_verify_reads_the_large_files_too(tmp_path: Path) -> None:
    folder = external(build_tiny_model(tmp_path / "m"), "big.data", padding=5_000_000)
    data = folder / "big.data"
    model = ModelFolder.read(folder)
    data.write_bytes(b"\x01" + data.read_bytes()[1:])
    ModelFolder.read(folder)
    with pytest.raises(FingerprintMismatch, match=r"big\.data"):
        model.verify()


def external(folder: Path, location: str, *, padding: int = 0) -> Path:
    """Move the graph's first tensor into a file called `location`, whether or not that is a wise place."""
    model = onnx.load(str(folder / GRAPH))
    tensor = model.graph.initializer[0]
    raw = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(len(raw))}.items():
        tensor.external_data.add(key=key, value=value)
    (folder / GRAPH).write_bytes(model.SerializeToString())
    if "/" not in location:
        (folder / location).write_bytes(raw + bytes(padding))
        manifest = json.loads((folder / MANIFEST).read_text())
        records = {name: asdict(record) for name, record in file_records(folder).items()}
        (folder / MANIFEST).write_text(json.dumps({**manifest, "files": records}))
    return folder


def test_weights_beside_the_graph_give_the_same_vectors(tmp_path: Path, tiny_model: Path) -> None:
    folder = external(build_tiny_model(tmp_path / "m"), "weights.data")
    store = ModelStore(Settings(home=tmp_path / "home", threads=1))
    moved, inline = store.encoder(str(folder)), store.encoder(str(tiny_model))
    assert external_files(folder / GRAPH) == {"weights.data"}
    assert (moved.encode_queries(["a car"]) == inline.encode_queries(["a car"])).all()


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../b", "..\\b"])
def test_a_graph_that_reads_outside_its_folder_is_refused(tmp_path: Path, location: str) -> None:
    folder = external(build_tiny_model(tmp_path / "m"), location if "/" in location else "x/" + location)
    with pytest.raises(ModelError, match="outside its own folder"):
        ModelFolder.read(folder)


def test_a_graph_that_reads_through_a_link_is_refused(tmp_path: Path) -> None:
    folder = external(build_tiny_model(tmp_path / "m"), "weights.data")
    (folder / "weights.data").rename(tmp_path / "elsewhere")
    (folder / "weights.data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="symbolic link"):
        ModelFolder.read(folder)


def test_tensors_hidden_in_attributes_are_found(tmp_path: Path) -> None:
    tensor = onnx.TensorProto(name="t", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../hidden")
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])
    outer = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=inner)], "outer", [], [])
    (tmp_path / GRAPH).write_bytes(helper.make_model(outer).SerializeToString())
    with pytest.raises(ModelError, match="hidden"):
        external_files(tmp_path / GRAPH)


@pytest.mark.parametrize("content", [b"", b"\xff" * 30, b"\x3a\xff\x01abc", b"plain text, no graph"])
def test_bytes_that_are_no_graph_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / GRAPH).write_bytes(content)
    with pytest.raises(ModelError, match="not a readable ONNX model"):
        external_files(tmp_path / GRAPH)
