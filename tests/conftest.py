"""Shared fixtures. Real corpora live outside the project, in ../shared/data; tests skip where they are absent."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retrieval.catalog import Catalog, Collection, CollectionConfig

if TYPE_CHECKING:
    from retrieval.encoder import OnnxEncoder

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real corpora, or a skip that says it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is absent: the tests on real corpora need it")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported model folder; TANDEM_MODEL=<this folder> works as with a real one. Do not change it."""
    from tests.tiny_model import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_encoder(tiny_model: Path) -> "OnnxEncoder":
    """The tiny model, loaded: deterministic vectors in which synonyms are close."""
    from retrieval.encoder import OnnxEncoder

    return OnnxEncoder.load(tiny_model, threads=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog in SQLite."""
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    yield catalog
    catalog.close()


@pytest.fixture
def collection(catalog: Catalog) -> Collection:
    """The catalog's one collection, empty."""
    return catalog.collections.create("default", CollectionConfig())
