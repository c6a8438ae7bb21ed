"""Cursors: they lead to the next page of their own search, and nobody else makes one."""

import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.errors import UsageError
from retrieval.filters import Exists
from retrieval.query import Query
from retrieval.types import Mode
from service.cursors import KEY_FILE, MAX_CURSOR_CHARS, Cursors

QUERY = Query("dog", 2, where=Exists("kind"))
FOUND = (5, 3, 9, 1, 7)


def after(cursors: Cursors, query: Query = QUERY) -> str:
    cursor = cursors.after("default", query, FOUND)
    assert cursor is not None
    assert len(cursor) <= MAX_CURSOR_CHARS
    return cursor


def test_a_cursor_leads_to_the_next_page_and_there_is_none_at_the_end(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path)
    place = cursors.read(after(cursors), "default", QUERY)
    assert place.offset == 2
    second = cursors.read(after(cursors, replace(QUERY, offset=2)), "default", QUERY)
    assert second.offset == 4
    assert cursors.after("default", replace(QUERY, offset=4), FOUND) is None
    assert cursors.after("default", replace(QUERY, k=5), FOUND) is None


def test_a_page_tells_whether_those_before_it_still_are_as_they_were_shown(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path)
    place = cursors.read(after(cursors), "default", QUERY)
    assert place.is_after((5, 3, 1, 9))
    assert not place.is_after((3, 5, 9, 1))
    assert not place.is_after((5,))


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, text="cat"),
        replace(QUERY, k=3),
        replace(QUERY, mode=Mode.KEYWORD),
        replace(QUERY, where=None),
        replace(QUERY, group=False),
        replace(QUERY, model="v2"),
    ],
)
def test_a_cursor_is_of_no_use_to_another_search(tmp_path: Path, other: Query) -> None:
    cursors = Cursors(tmp_path)
    with pytest.raises(UsageError, match="none of this search"):
        cursors.read(after(cursors), "default", other)
    with pytest.raises(UsageError, match="none of this search"):
        cursors.read(after(cursors), "secret", QUERY)


def test_what_is_no_cursor_or_a_changed_one_is_refused(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path)
    raw = urlsafe_b64decode(after(cursors) + "=" * (-len(after(cursors)) % 4))
    changed = [urlsafe_b64encode(bytes([*raw[:at], raw[at] ^ 1, *raw[at + 1 :]])).decode() for at in range(len(raw))]
    for cursor in [*changed, "", "x", "é", "\0", "!!!!", "A" * 39, after(cursors)[:-2], f"{after(cursors)}AAAA"]:
        with pytest.raises(UsageError):
            cursors.read(cursor, "default", QUERY)


def test_a_home_keeps_its_key_and_another_has_another(tmp_path: Path) -> None:
    first, again = Cursors(tmp_path), Cursors(tmp_path)
    assert again.read(after(first), "default", QUERY).offset == 2
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]
    other = Cursors(tmp_path / "not there")
    with pytest.raises(UsageError):
        other.read(after(first), "default", QUERY)
