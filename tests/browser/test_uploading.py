"""Files sent from the page as people send them: chosen, or dropped."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.homes import write_pages

pytestmark = pytest.mark.browser


def drop(page: Page, *files: Path) -> None:
    """Drop files on the form, as the system's file manager does."""
    box = page.locator("#upload").bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 10}
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **at})


def test_files_are_chosen_or_dropped_and_what_became_of_them_is_told(page: Page, tmp_path: Path) -> None:
    files = write_pages(tmp_path / "files", {"dogs.md": "# Dogs\n\nA puppy.", "cats.txt": "A kitten.", "a.zip": "PK"})
    page.goto("/documents")
    prefix = page.evaluate("`pets-${innerWidth}-${matchMedia('(prefers-color-scheme: dark)').matches}/`")
    page.locator("#files").set_input_files([files / "dogs.md", files / "a.zip"])
    page.locator("#id_prefix").fill(prefix)
    page.locator("#upload button").click()
    said = page.locator("#uploaded")
    expect(said).to_contain_text("1 document kept from 1 file; 1 not kept.")
    expect(said).to_contain_text(f"{prefix}dogs.md read")
    expect(said).to_contain_text("which is not unpacked")
    assert page.evaluate("document.getElementById('files').files.length") == 0
    expect(page.locator("#documents")).to_contain_text(f"{prefix}dogs.md")
    drop(page, files / "cats.txt")
    expect(said).to_contain_text(f"{prefix}cats.txt read")
    drop(page, files)
    expect(said).to_contain_text("A folder cannot be dropped here")
    page.goto("/documents")
    expect(page.locator("body")).to_contain_text(f"{prefix}cats.txt")
