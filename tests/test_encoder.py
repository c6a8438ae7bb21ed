"""The ONNX encoder, with the tiny model; its arithmetic is checked against a plain NumPy rewriting of it."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from retrieval.batches import BATCH_ROWS, BATCH_TOKENS, Batch, batches
from retrieval.encoder import Encoder, OnnxEncoder
from retrieval.errors import ModelError
from retrieval.model_folder import GRAPH, ModelFolder, file_records, sha256_of, write_manifest
from retrieval.query_map import QUERY_MAP, TENSOR
from retrieval.types import FloatArray
from tests.tiny_model import DIMENSIONS, MAX_TOKENS, build_tiny_model


def rewritten(folder: Path, graph: onnx.ModelProto | None = None, **recipe: Any) -> Path:
    """Put another graph or recipe into an exported folder, with a manifest that agrees."""
    manifest = ModelFolder.read(folder).manifest
    if graph is not None:
        onnx.save_model(graph, str(folder / GRAPH))
    changed = replace(manifest.recipe, **recipe)
    write_manifest(
        folder, replace(manifest, recipe=changed, fingerprint=changed.fingerprint, files=file_records(folder))
    )
    return folder


def constant_graph(values: FloatArray, *, extra: str = "") -> onnx.ModelProto:
    """A graph that ignores its inputs and returns `values`."""
    names = ["input_ids", "attention_mask", *([extra] if extra else [])]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in names]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, list(values.shape))]
    node = helper.make_node("Identity", ["values"], ["embedding"])
    graph = helper.make_graph([node], "constant", inputs, outputs, [numpy_helper.from_array(values, "values")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def token_graph(table: FloatArray) -> onnx.ModelProto:
    """A graph that returns a vector a token, unpooled, and takes int32 and type ids as some exports do."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "tokens"]) for name in names]
    outputs = [helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["batch", "tokens", table.shape[1]])]
    node = helper.make_node("Gather", ["table", "input_ids"], ["tokens"])
    graph = helper.make_graph([node], "tokens", inputs, outputs, [numpy_helper.from_array(table, "table")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def table_of(folder: Path) -> FloatArray:
    graph = onnx.load(str(folder / GRAPH)).graph
    return np.asarray(numpy_helper.to_array(graph.initializer[0]), dtype=np.float32)


def test_an_onnx_encoder_is_an_encoder(tiny_encoder: OnnxEncoder) -> None:
    encoder: Encoder = tiny_encoder
    assert (encoder.dimensions, encoder.max_tokens, len(encoder.fingerprint)) == (DIMENSIONS, MAX_TOKENS, 16)


def test_vectors_are_unit_float32_rows_in_the_order_given(tiny_encoder: OnnxEncoder) -> None:
    texts = ["a long text about cars " * 30, "car", "", "two words"]
    vectors = tiny_encoder.encode_passages(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(vectors[row], tiny_encoder.encode_passages([text])[0], atol=1e-6)


def test_the_vector_is_the_mean_of_the_tokens_vectors(tiny_model: Path, tiny_encoder: OnnxEncoder) -> None:
    vocabulary = json.loads((tiny_model / "tokenizer.json").read_text())["model"]["vocab"]
    table = table_of(tiny_model)
    mean = table[[vocabulary[piece] for piece in ("[CLS]", "the", "dog", "eat", "[SEP]")]].mean(axis=0)
    np.testing.assert_allclose(tiny_encoder.encode_passages(["The dog EAT"])[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_synonyms_are_close_and_strangers_are_not(tiny_encoder: OnnxEncoder) -> None:
    car, automobile, cars, bread, quokka, axolotl = tiny_encoder.encode_queries(
        ["car", "automobile", "cars", "bread", "quokka", "axolotl"]
    )
    assert car @ automobile > 0.7
    assert car @ cars > 0.9
    assert abs(car @ bread) < 0.4
    assert abs(quokka @ axolotl) < 0.6


def test_no_texts_give_no_rows(tiny_encoder: OnnxEncoder) -> None:
    assert tiny_encoder.encode_queries([]).shape == (0, DIMENSIONS)
    assert tiny_encoder.count_tokens([]) == []


def test_a_text_is_cut_to_max_tokens(tiny_encoder: OnnxEncoder) -> None:
    kept = "car " * (MAX_TOKENS - 2)  # two are special
    long, cut = tiny_encoder.encode_passages([kept + "bread " * 500, kept])
    np.testing.assert_allclose(long, cut, atol=1e-6)


def test_tokens_are_counted_whole_and_without_special_ones(tiny_encoder: OnnxEncoder) -> None:
    assert tiny_encoder.count_tokens(["", "the car", "car " * 1000]) == [0, 2, 1000]


def test_the_tokenizer_that_chunking_gets_neither_cuts_nor_pads(tiny_encoder: OnnxEncoder) -> None:
    tokenizer = json.loads(tiny_encoder.tokenizer_json)
    assert (tokenizer["truncation"], tokenizer["padding"]) == (None, None)


@pytest.mark.parametrize("text", ["\ud800", "broken \udfff pair", "x" * 100_000, "\x00", "日本語" * 5000, " \n\t "])
def test_awkward_text_has_a_vector(tiny_encoder: OnnxEncoder, text: str) -> None:
    assert np.isfinite(tiny_encoder.encode_passages([text])).all()
    assert tiny_encoder.count_tokens([text])[0] >= 0


def test_a_surrogate_pair_is_the_character_it_stands_for(tiny_encoder: OnnxEncoder) -> None:
    pair, whole = tiny_encoder.encode_passages(["\ud83d\ude00", "😀"])
    np.testing.assert_array_equal(pair, whole)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec=None), max_size=60), max_size=20))
def test_company_in_a_batch_changes_nothing(tiny_encoder: OnnxEncoder, texts: list[str]) -> None:
    together = tiny_encoder.encode_passages(texts)
    alone = [tiny_encoder.encode_passages([text])[0] for text in texts]
    np.testing.assert_allclose(together, np.reshape(alone, (len(texts), DIMENSIONS)), atol=1e-5)


@given(lengths=st.lists(st.integers(1, 3000), max_size=300))
def test_batches_hold_every_row_once_and_keep_to_the_budget(lengths: Sequence[int]) -> None:
    found = list(batches(lengths))
    assert sorted(row for batch in found for row in batch) == list(range(len(lengths)))
    for batch in found:
        padded = len(batch) * max(lengths[row] for row in batch)
        assert len(batch) == 1 or (padded <= BATCH_TOKENS and len(batch) <= BATCH_ROWS)


def test_every_batch_is_told_with_its_padding(tiny_model: Path) -> None:
    told: list[Batch] = []
    encoder = OnnxEncoder.load(tiny_model, threads=1)
    encoder.on_batch = told.append
    longest = encoder.count_tokens(["a bear and a goat"])[0] + 2  # [CLS], [SEP]
    encoder.encode_passages(["a bear", "a bear and a goat"])
    encoder.encode_queries(["a bear and a goat"])
    assert told == [Batch("passage", 2, 2 * longest), Batch("query", 1, longest)]


def test_threads_share_an_encoder(tiny_encoder: OnnxEncoder) -> None:
    texts = [f"thread {number} reads a book" for number in range(40)]
    expected = tiny_encoder.encode_queries(texts)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda text: tiny_encoder.encode_queries([text])[0], texts))
    np.testing.assert_allclose(np.stack(rows), expected, atol=1e-6)


def test_prompts_go_before_the_text(tmp_path: Path, tiny_encoder: OnnxEncoder) -> None:
    folder = rewritten(build_tiny_model(tmp_path / "m"), query_prompt="search query: ", passage_prompt="document: ")
    encoder = OnnxEncoder.load(folder)
    np.testing.assert_allclose(
        encoder.encode_queries(["car"]), tiny_encoder.encode_queries(["search query: car"]), atol=1e-6
    )
    np.testing.assert_allclose(
        encoder.encode_passages(["car"]), tiny_encoder.encode_passages(["document: car"]), atol=1e-6
    )
    assert encoder.fingerprint != tiny_encoder.fingerprint


def test_mean_pooling_outside_the_graph_equals_pooling_inside(tmp_path: Path, tiny_encoder: OnnxEncoder) -> None:
    folder = build_tiny_model(tmp_path / "m")
    encoder = OnnxEncoder.load(rewritten(folder, token_graph(table_of(folder))))
    texts = ["car", "the dog eats a large loaf of bread", ""]
    np.testing.assert_allclose(encoder.encode_passages(texts), tiny_encoder.encode_passages(texts), atol=1e-6)


def test_cls_pooling_takes_the_first_token(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "m")
    encoder = OnnxEncoder.load(rewritten(folder, token_graph(table_of(folder)), pooling="cls"))
    car, bread = encoder.encode_passages(["car", "bread"])
    np.testing.assert_allclose(car, bread, atol=1e-7)


def test_pooling_that_neither_side_does_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "m")
    encoder = OnnxEncoder.load(rewritten(folder, token_graph(table_of(folder)), pooling="max"))
    with pytest.raises(ModelError, match="'max' pooling"):
        encoder.encode_queries(["car"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((1, DIMENSIONS), np.nan, dtype=np.float32), "not finite"),
        (np.full((1, DIMENSIONS), np.inf, dtype=np.float32), "not finite"),
        (np.zeros((1, DIMENSIONS), dtype=np.float32), "zero"),
        (np.ones((1, DIMENSIONS + 1), dtype=np.float32), "shape"),
        (np.ones((7, DIMENSIONS), dtype=np.float32), "shape"),
    ],
)
def test_a_model_that_gives_nonsense_is_refused(tmp_path: Path, values: FloatArray, message: str) -> None:
    encoder = OnnxEncoder.load(rewritten(build_tiny_model(tmp_path / "m"), constant_graph(values)))
    with pytest.raises(ModelError, match=message):
        encoder.encode_queries(["car"])


def test_a_graph_that_wants_more_than_text_is_refused(tmp_path: Path) -> None:
    graph = constant_graph(np.ones((1, DIMENSIONS), dtype=np.float32), extra="pixel_values")
    folder = rewritten(build_tiny_model(tmp_path / "m"), graph)
    with pytest.raises(ModelError, match="pixel_values"):
        OnnxEncoder.load(folder)


def test_ids_beyond_the_table_are_a_model_error(tmp_path: Path, tiny_model: Path) -> None:
    folder = rewritten(build_tiny_model(tmp_path / "m"), token_graph(table_of(tiny_model)[:10]))
    with pytest.raises(ModelError, match="failed on"):
        OnnxEncoder.load(folder).encode_queries(["car"])


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "m")
    manifest = ModelFolder.read(folder).manifest
    (folder / "tokenizer.json").write_text('{"model": {"type": "nothing"}}')
    write_manifest(folder, replace(manifest, files=file_records(folder)))
    with pytest.raises(ModelError, match="not a tokenizer"):
        OnnxEncoder.load(folder)


def test_a_query_map_turns_queries_and_leaves_passages(tmp_path: Path, tiny_encoder: OnnxEncoder) -> None:
    folder = build_tiny_model(tmp_path / "mapped")
    random = np.random.default_rng(0).normal(size=(DIMENSIONS, DIMENSIONS)).astype(np.float32)
    save_file({TENSOR: random}, folder / QUERY_MAP)
    mapped = OnnxEncoder.load(rewritten(folder, query_map=sha256_of(folder / QUERY_MAP)), threads=1)
    texts = ["a car", "the dog of the village", "bread"]
    expected = tiny_encoder.encode_queries(texts).astype(np.float64) @ random.T.astype(np.float64)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(mapped.encode_queries(texts), expected, atol=1e-5)
    assert (mapped.encode_passages(texts) == tiny_encoder.encode_passages(texts)).all()
    assert mapped.encode_queries([]).shape == (0, DIMENSIONS)
    assert mapped.passage_fingerprint == tiny_encoder.passage_fingerprint == tiny_encoder.fingerprint
    assert mapped.fingerprint != tiny_encoder.fingerprint
