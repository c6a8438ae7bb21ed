"""The docs name every setting and every command, and their links lead somewhere."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command

from retrieval.settings import Settings
from service.cli import app
from tests import configuration_table

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = {"TANDEM_ADDRESS", "TANDEM_AXE", "TANDEM_CHROMIUM"}
"""Read by docker-compose.yml and the browser tests."""
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in [*PAGES, ROOT / "CHANGELOG.md"])


def test_every_setting_is_documented_as_it_is() -> None:
    assert configuration_table.written() == configuration_table.table(), "run: python -m tests.configuration_table"


def test_no_variable_is_documented_that_nothing_reads() -> None:
    known = {f"TANDEM_{field.name.upper()}" for field in fields(Settings)} | OTHERS
    assert set(re.findall(r"\bTANDEM_[A-Z_]*[A-Z]\b", TEXT)) <= known


@pytest.mark.parametrize("name", sorted(getattr(get_command(app), "commands", {})))
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"`(tandem )?{name}\b|tandem {name}\b", TEXT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []
