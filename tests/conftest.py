"""Shared fixtures. Real corpora live outside the project, in ../shared/data; tests skip where they are absent."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real corpora, or a skip that says it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is absent: the tests on real corpora need it")
    return SHARED_DATA
