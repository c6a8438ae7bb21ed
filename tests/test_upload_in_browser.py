"""Files sent from the page as people send them: chosen, dropped, and refused."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.home import Home
from retrieval.settings import Settings
from tests import chromium
from tests.homes import write_pages
from tests.live import live

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not chromium.BINARY, reason="there is no Chromium"),
]
SAID = "document.getElementById('uploaded').innerText"


@pytest.fixture
def address(tmp_path: Path, tiny_model: Path) -> Iterator[str]:
    home = Home.open(Settings(home=tmp_path / "home", model=str(tiny_model), threads=1))
    home.prepared("default")
    with live(home) as address:
        yield address
    home.close()


def test_files_are_chosen_or_dropped_and_what_became_of_them_is_told(address: str, tmp_path: Path) -> None:
    files = write_pages(tmp_path / "files", {"dogs.md": "# Dogs\n\nA puppy.", "cats.txt": "A kitten.", "a.zip": "PK"})
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    with chromium.tab(tmp_path / "profile") as page:
        page.open(f"{address}/documents")
        page.choose("#files", files / "dogs.md", files / "a.zip")
        page.run("document.getElementById('id_prefix').value = 'pets/'")
        page.run("document.querySelector('#upload button').click()")
        page.wait(f"{SAID}.includes('1 document kept from 1 file; 1 not kept.')")
        assert "pets/dogs.md read" in page.run(SAID)
        assert "which is not unpacked" in page.run(SAID)
        assert page.run("document.getElementById('files').files.length") == 0
        page.wait("document.getElementById('documents').innerText.includes('pets/dogs.md')")
        for width in (390, 1280):
            for is_dark in (False, True):
                page.picture(pictures / f"upload-{width}-{is_dark}.png", width=width, is_dark=is_dark)
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        page.drop("#upload", files / "cats.txt")
        page.wait(f"{SAID}.includes('pets/cats.txt read')")
        page.drop("#upload", files)
        page.wait(f"{SAID}.includes('A folder cannot be dropped here')")
        page.drop("#upload", files / "a.zip")
        page.wait(f"{SAID}.includes('0 documents kept from 0 files; 1 not kept.')")
        told = [entry for entry in page.said if "status of 422" not in str(entry)]  # browsers tell of every such answer
        assert told == []
        page.open(f"{address}/documents")
        assert "pets/cats.txt" in page.run("document.body.innerText")
