"""Finding, exporting once, keeping and distrusting models. A stand-in exporter builds the tiny model; no torch."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from retrieval import model_finding
from retrieval.errors import FingerprintMismatch, ModelError, NotFound
from retrieval.model_finding import find_source, hub_id
from retrieval.model_folder import GRAPH, MANIFEST, SOURCE, ModelFolder, Precision, Recipe, write_manifest
from retrieval.model_source import SourceModel
from retrieval.models import ModelStore, version_of
from retrieval.query_map import QUERY_MAP
from retrieval.settings import Settings
from retrieval.trained_model import PROVENANCE
from tests.tiny_model import DIMENSIONS, build_adapter, build_tiny_model, write_provenance

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def source_folder(folder: Path, **files: Any) -> Path:
    """A folder laid out by sentence-transformers; keyword arguments replace or (None) leave out files."""
    contents: dict[str, Any] = {
        "modules": MODULES,
        "config": {"model_type": "bert", "max_position_embeddings": 512, "transformers_version": "4.8.2"},
        "sentence_bert_config": {"max_seq_length": 128},
        "tokenizer_config": {"model_max_length": 512},
        "config_sentence_transformers": {},
        "pooling": {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False},
        "tokenizer": {"model": {}},
        **files,
    }
    (folder / "1_Pooling").mkdir(parents=True)
    for name, content in contents.items():
        if content is not None:
            path = "1_Pooling/config.json" if name == "pooling" else f"{name}.json"
            (folder / path).write_text(json.dumps(content))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


class Exports:
    """An exporter that builds the tiny model and remembers what it was asked."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.sources: list[Path] = []
        self.before = before

    def __call__(self, source: Path, target: Path, *, precision: Precision) -> None:
        self.sources.append(source)
        self.before()
        build_tiny_model(target, name="exported", salt=precision.value)
        manifest = ModelFolder.read(target).manifest
        recipe = SourceModel.read(source).recipe(precision)
        write_manifest(target, replace(manifest, recipe=recipe, fingerprint=recipe.fingerprint))


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", threads=1)


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", absent)
    monkeypatch.setattr(model_finding, "PACKAGE", "no_such_package_here")


def test_an_exported_folder_is_used_in_place(home: Settings, tiny_model: Path) -> None:
    store = ModelStore(replace(home, model=str(tiny_model)))
    encoder = store.encoder()
    assert encoder.folder.path == tiny_model
    assert encoder.encode_queries(["car"]).shape == (1, encoder.dimensions)
    assert not home.models_dir.exists()


def test_the_first_use_exports_and_later_ones_do_not(home: Settings, tmp_path: Path) -> None:
    exports, source = Exports(), source_folder(tmp_path / "my model")
    store = ModelStore(home, exports)
    first, second = store.folder(str(source)), store.folder(str(source))
    assert exports.sources == [source]
    assert first == second
    assert first.path.name == f"my-model-{first.manifest.fingerprint[:8]}"
    assert [path.name for path in home.models_dir.iterdir()] == [first.path.name]


def test_a_local_folder_that_changed_is_another_model(home: Settings, tmp_path: Path) -> None:
    exports, source = Exports(), source_folder(tmp_path / "m")
    store = ModelStore(home, exports)
    before = store.folder(str(source)).manifest.fingerprint
    (source / "model.safetensors").write_bytes(b"other weights")
    assert store.folder(str(source)).manifest.fingerprint != before
    assert len(store.list_models()) == 2


def test_a_touched_folder_is_the_same_model(home: Settings, tmp_path: Path) -> None:
    exports, source = Exports(), source_folder(tmp_path / "m")
    store = ModelStore(home, exports)
    before = store.folder(str(source))
    (source / "model.safetensors").touch()
    assert store.folder(str(source)).path == before.path
    assert len(exports.sources) == 1


def test_without_an_exporter_the_message_names_the_command(home: Settings, tmp_path: Path) -> None:
    source = source_folder(tmp_path / "m")
    with pytest.raises(ModelError, match="tandem models add"):
        ModelStore(home).folder(str(source))


def test_an_interrupted_export_leaves_nothing(home: Settings, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ModelStore(home, Exports(interrupt)).add_model(source_folder(tmp_path / "m"), "v1")
    assert list(home.models_dir.iterdir()) == []
    assert ModelStore(home, Exports()).add_model(tmp_path / "m", "v1").version == "v1"


def test_two_exports_at_once_leave_one_model(home: Settings, tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=20)
    exports, source = Exports(both.wait), source_folder(tmp_path / "m")
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(ModelStore(home, exports).add_model(source, "v1").path))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [home.models_dir / "v1"] * 2
    assert [path.name for path in home.models_dir.iterdir()] == ["v1"]


def test_a_model_is_added_listed_shown_verified_and_removed(home: Settings, tiny_model: Path) -> None:
    store = ModelStore(home)
    info = store.add_model(tiny_model, "v1")
    assert store.list_models() == [info]
    assert store.model("v1") == info
    assert (info.version, info.name, info.pooling, info.precision) == ("v1", "tiny", "mean", "float32")
    assert info.size_bytes == sum((tiny_model / name).stat().st_size for name in (GRAPH, "tokenizer.json"))
    store.verify("v1")
    assert store.folder("v1").path == home.models_dir / "v1"
    store.remove_model("v1")
    assert store.list_models() == []
    for missing in (store.verify, store.model, store.remove_model):
        with pytest.raises(NotFound, match="no model version 'v1'"):
            missing("v1")


def test_a_version_stays_what_it_is(home: Settings, tmp_path: Path, tiny_model: Path) -> None:
    store = ModelStore(home)
    first = store.add_model(tiny_model, "v1")
    assert store.add_model(tiny_model, "v1") == first
    with pytest.raises(ModelError, match="choose another version"):
        store.add_model(build_tiny_model(tmp_path / "other", salt="other"), "v1")


def test_int8_is_another_version_with_another_fingerprint(home: Settings, tmp_path: Path) -> None:
    store, source = ModelStore(home, Exports()), source_folder(tmp_path / "m")
    whole, small = store.add_model(source), store.add_model(source, precision=Precision.INT8)
    assert (whole.version, small.version, small.precision) == ("m", "m-int8", "int8")
    assert whole.fingerprint != small.fingerprint


@pytest.mark.parametrize("version", ["../up", "a/b", ".hidden", "", "x" * 101, "sp ace"])
def test_an_unsafe_version_is_refused(home: Settings, tiny_model: Path, version: str) -> None:
    with pytest.raises((ModelError, NotFound)):
        ModelStore(home).model(version)
    if version:
        with pytest.raises(ModelError, match="not a version"):
            ModelStore(home).add_model(tiny_model, version)


def test_a_broken_model_does_not_hide_the_others(home: Settings, tiny_model: Path) -> None:
    store = ModelStore(home)
    store.add_model(tiny_model, "good")
    shutil.copytree(tiny_model, home.models_dir / "broken")
    (home.models_dir / "broken" / GRAPH).unlink()
    assert [info.version for info in store.list_models()] == ["good"]
    store.remove_model("broken")
    assert [path.name for path in home.models_dir.iterdir()] == ["good"]


@pytest.mark.parametrize(
    ("name", "full"),
    [("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"), ("BAAI/bge-small-en-v1.5",) * 2],
)
def test_a_bare_name_is_one_of_sentence_transformers_own(name: str, full: str) -> None:
    assert hub_id(name) == full
    assert version_of(name) == version_of(full)


@pytest.mark.parametrize("name", ["a/b/c", "../x", "org/..", "white space", "org/", "https://hub.example/x", "x\n"])
def test_what_cannot_be_a_model_never_reaches_the_hub(home: Settings, name: str) -> None:
    with pytest.raises(ModelError):
        ModelStore(home, Exports()).folder(name)


@pytest.mark.usefixtures("no_hub")
def test_a_folder_that_is_named_as_if_it_were_a_model_is_pointed_out(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tuned").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"No model goes by the name 'tuned'.*write \./tuned\."):
        ModelStore(home, Exports()).add_model("tuned")


@pytest.mark.usefixtures("no_hub")
def test_a_model_that_is_nowhere_says_what_was_tried(home: Settings) -> None:
    with pytest.raises(ModelError, match=r"not installed.*cache.*no network.*offline-model.*tandem models add"):
        ModelStore(home, Exports()).folder("all-MiniLM-L6-v2")


def test_a_cached_model_is_found_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = source_folder(tmp_path / "snapshot")
    calls: list[dict[str, Any]] = []

    def snapshot(_: str, **options: Any) -> str:
        calls.append(options)
        return str(cached)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert find_source("org/model").path == cached
    assert [options["local_files_only"] for options in calls] == [True]
    assert not any("bin" in pattern or "py" in pattern for pattern in calls[0]["allow_patterns"])


def test_a_packaged_copy_with_other_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "packaged_model_here"
    source_folder(package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(model_finding, "PACKAGE", "packaged_model_here")
    with pytest.raises(ModelError, match="SHA-256"):
        find_source(model_finding.DEFAULT_HUB_ID)


def test_loading_and_encoding_import_no_torch(home: Settings, tiny_model: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom retrieval.models import ModelStore\n"
        "from retrieval.settings import Settings\nimport trainer.export\n"
        "ModelStore(Settings(home=Path(sys.argv[1]))).encoder(sys.argv[2]).encode_queries(['car'])\n"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home.home), str(tiny_model)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_recipe_without_a_query_map_has_the_fingerprint_it_had_before_there_were_any() -> None:
    recipe = Recipe("w", "t", "c", "mean", True, "query: ", "", 256, Precision.FLOAT32)
    assert recipe.fingerprint == recipe.passage_fingerprint == "79bcee3d258c0f13"
    mapped = replace(recipe, query_map="0" * 64)
    assert mapped.passage_fingerprint == recipe.fingerprint != mapped.fingerprint


# What a training left


@pytest.fixture
def trained(tmp_path: Path, tiny_model: Path) -> Path:
    """A tuned model as a training leaves it."""
    folder = write_provenance(source_folder(tmp_path / "tuned"), ModelFolder.read(tiny_model), pairs=919)
    (folder / "checkpoint.bin").write_bytes(b"not the model's")
    return folder


def adapter_over(base: ModelFolder, folder: Path, query_map: np.ndarray[Any, Any] | None = None) -> Path:
    return build_adapter(folder, base, np.eye(DIMENSIONS, dtype=np.float32) if query_map is None else query_map)


def test_a_trained_model_keeps_its_provenance_and_what_it_was_exported_from(home: Settings, trained: Path) -> None:
    store = ModelStore(home, Exports())
    info = store.add_model(trained, "v1")
    assert info.provenance["pairs"] == 919
    assert info.fingerprint == info.passage_fingerprint == SourceModel.read(trained).recipe().fingerprint
    assert store.model("v1") == info
    shutil.rmtree(trained)
    source = store.source("v1")
    assert source == info.path / SOURCE
    assert SourceModel.read(source).recipe().fingerprint == info.fingerprint
    assert not list(source.rglob("*.bin"))
    store.verify("v1")
    (source / "model.safetensors").write_bytes(b"others")
    for check in (store.verify, store.source):
        with pytest.raises(FingerprintMismatch, match="not what v1 was exported from"):
            check("v1")


def test_an_exported_version_moves_whole_and_keeps_its_fingerprint(
    home: Settings, trained: Path, tmp_path: Path
) -> None:
    store = ModelStore(home, Exports())
    info = store.add_model(trained, "v1")
    store.export_model("v1", tmp_path / "out" / "moved")
    elsewhere = ModelStore(Settings(home=tmp_path / "elsewhere", threads=1))
    moved = elsewhere.add_model(tmp_path / "out" / "moved", "v1")
    assert moved == replace(info, path=moved.path)
    assert elsewhere.source("v1") == moved.path / SOURCE
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["moved"]
    with pytest.raises(ModelError, match="is there already"):
        store.export_model("v1", tmp_path / "out" / "moved")
    with pytest.raises(NotFound):
        store.export_model("v2", tmp_path / "out" / "other")
    (tmp_path / "out" / "moved" / SOURCE / "model.safetensors").write_bytes(b"others")
    with pytest.raises(FingerprintMismatch, match="not what moved was exported from"):
        elsewhere.add_model(tmp_path / "out" / "moved", "v2")


def test_an_adapter_is_put_over_its_base(home: Settings, tiny_model: Path, tmp_path: Path) -> None:
    store = ModelStore(home)
    base = store.add_model(tiny_model, "base")
    adapter = adapter_over(ModelFolder.read(base.path), tmp_path / "adapter", -np.eye(DIMENSIONS, dtype=np.float32))
    info = store.add_model(adapter, "adapted")
    assert info.passage_fingerprint == base.fingerprint != info.fingerprint
    assert (info.path / GRAPH).samefile(base.path / GRAPH)
    assert info.provenance["method"] == "adapter"
    plain, mapped = store.encoder("base"), store.encoder("adapted")
    assert (mapped.encode_passages(["a car"]) == plain.encode_passages(["a car"])).all()
    np.testing.assert_allclose(mapped.encode_queries(["a car"]), -plain.encode_queries(["a car"]), atol=1e-6)
    assert store.add_model(adapter, "adapted") == info
    store.export_model("adapted", tmp_path / "moved")
    store.remove_model("base")
    store.verify("adapted")
    elsewhere = ModelStore(Settings(home=tmp_path / "elsewhere", threads=1))
    assert elsewhere.add_model(tmp_path / "moved", "adapted").fingerprint == info.fingerprint  # without the base


def test_an_adapter_over_a_trained_model_can_be_trained_further(home: Settings, trained: Path, tmp_path: Path) -> None:
    store = ModelStore(home, Exports())
    base = store.add_model(trained, "base")
    info = store.add_model(adapter_over(ModelFolder.read(base.path), tmp_path / "adapter"), "adapted")
    store.remove_model("base")
    assert store.source("adapted") == info.path / SOURCE
    assert SourceModel.read(store.source("adapted")).recipe().fingerprint == base.fingerprint


def test_an_adapter_needs_its_base(home: Settings, tiny_model: Path, tmp_path: Path) -> None:
    store = ModelStore(home)
    base = ModelFolder.read(tiny_model)
    adapter = adapter_over(base, tmp_path / "adapter")
    with pytest.raises(ModelError, match=rf"{base.manifest.fingerprint}\), which this home does not have"):
        store.add_model(adapter, "v1")
    store.add_model(tiny_model, "base")
    with pytest.raises(ModelError, match="leave out --int8"):
        store.add_model(adapter, "v1", precision=Precision.INT8)
    adapted = store.add_model(adapter, "v1")
    with pytest.raises(ModelError, match="an adapter itself"):
        store.add_model(adapter_over(ModelFolder.read(adapted.path), tmp_path / "second"), "v2")
    with pytest.raises(ModelError, match="choose another version"):
        store.add_model(adapter_over(base, tmp_path / "third", np.ones((DIMENSIONS,) * 2, np.float32)), "v1")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"map": np.eye(8, dtype=np.float32)}, r"shape \(8, 8\)"),
        ({"map": np.eye(DIMENSIONS, dtype=np.float64)}, "float64"),
        ({"map": np.eye(DIMENSIONS, dtype=np.float32) * np.nan}, "not finite"),
        ({"map": np.zeros((DIMENSIONS, DIMENSIONS), np.float32)}, "zero or not finite"),
        ({"other": np.eye(DIMENSIONS, dtype=np.float32)}, "not the one tensor 'map'"),
        ({"map": np.eye(DIMENSIONS, dtype=np.float32), "more": np.zeros(1, np.float32)}, "holds map, more"),
        ({"map": np.zeros((300, 300), np.float32)}, "bytes, more than"),
        (b"no tensors", "not a query map"),
        (b"\xff" * 64, "not a query map"),
        (b"", "not a query map"),
    ],
)
def test_a_query_map_that_is_none_is_refused(
    home: Settings, tiny_model: Path, tmp_path: Path, tensors: dict[str, Any] | bytes, message: str
) -> None:
    store = ModelStore(home)
    base = store.add_model(tiny_model, "base")
    adapter = adapter_over(ModelFolder.read(base.path), tmp_path / "adapter")
    if isinstance(tensors, bytes):
        (adapter / QUERY_MAP).write_bytes(tensors)
    else:
        save_file(tensors, adapter / QUERY_MAP)
    with pytest.raises(ModelError, match=message):
        store.add_model(adapter, "v1")
    assert [path.name for path in home.models_dir.iterdir()] == ["base"]


def test_a_query_map_that_was_exchanged_is_noticed(home: Settings, tiny_model: Path, tmp_path: Path) -> None:
    store = ModelStore(home)
    base = store.add_model(tiny_model, "base")
    info = store.add_model(adapter_over(ModelFolder.read(base.path), tmp_path / "adapter"), "v1")
    save_file({"map": -np.eye(DIMENSIONS, dtype=np.float32)}, info.path / QUERY_MAP)
    with pytest.raises(FingerprintMismatch, match=QUERY_MAP):
        store.encoder("v1")


def nested(depth: int) -> object:
    return [nested(depth - 1)] if depth else 0


@pytest.mark.parametrize(
    ("provenance", "message"),
    [
        ({"format": "tandem-trained-model/2"}, "reads tandem-trained-model/1"),
        ({"base": {"name": "x"}}, "does not name its base"),
        ({"base": "all-MiniLM-L6-v2"}, "does not name its base"),
        ({"note": "x" * 300_000}, "provenance"),
        ({"note": float("nan")}, "provenance"),
        ({"note": nested(20)}, "provenance"),
        ([], "provenance"),
    ],
)
def test_a_provenance_that_cannot_be_trusted_is_refused(
    home: Settings, trained: Path, provenance: object, message: str
) -> None:
    told = json.loads((trained / PROVENANCE).read_text())
    changed = {**told, **provenance} if isinstance(provenance, dict) else provenance
    (trained / PROVENANCE).write_text(json.dumps(changed))
    with pytest.raises(ModelError, match=message):
        ModelStore(home, Exports()).add_model(trained, "v1")
    assert not home.models_dir.exists() or list(home.models_dir.iterdir()) == []


def test_a_training_that_kept_its_base_has_no_model_to_add(home: Settings, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    folder = write_provenance(tmp_path / "kept", ModelFolder.read(tiny_model))
    with pytest.raises(ModelError, match="kept its base model"):
        ModelStore(home, Exports()).add_model(folder, "v1")


def test_a_manifest_with_a_provenance_that_is_no_object_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "m")
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "provenance": ["x"]}))
    with pytest.raises(ModelError, match="provenance"):
        ModelFolder.read(folder)


def test_the_source_of_a_model_is_where_it_was_found_as_long_as_that_is_the_same(
    home: Settings, tmp_path: Path, no_hub: None
) -> None:
    store, source = ModelStore(home, Exports()), source_folder(tmp_path / "m")
    store.add_model(source, "v1")
    assert store.source("v1") == source
    (source / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelError, match=r"holds another model.*`tandem models add FOLDER`"):
        store.source("v1")
    with pytest.raises(NotFound):
        store.source("v2")
