"""A judge's session, and its front end in a terminal."""

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.catalog import Batch, Catalog, Collection, DocumentRecord
from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import NotFound, UsageError
from retrieval.snippets import BOLD, PLAIN, Markup
from retrieval.types import Block, BlockKind, Document
from tests.homes import page
from trainer.judge_display import Display, fitted
from trainer.judge_terminal import HELP, judge, keyboard, run
from trainer.judging import GRADES, Item, Left, Session

LOAF = JudgedQuery("q1", "how to bake a loaf", grades=dict.fromkeys(["bread", "oven", "stone"]))
CAR = JudgedQuery("q2", "mend a car", grades={"garage": None, "bread": 0, "engine": None})
DONE = JudgedQuery("q0", "all judged", grades={"bread": 2})
JUDGED = (DONE, LOAF, CAR)

Kept = dict[tuple[str, str], int | None]
ACTIONS = st.lists(st.sampled_from([0, 1, 2, 3, "skip", "skip query", "undo"]), max_size=40)


@dataclass
class Judging:
    """A session, and what it kept."""

    judged: Sequence[JudgedQuery] = JUDGED
    limit: int | None = None
    kept: Kept = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.session = Session(self.judged, self.keep, name="set", limit=self.limit)

    def keep(self, query: str, document: str, grade: int | None) -> None:
        self.kept[query, document] = grade

    def do(self, action: int | str) -> None:
        match action:
            case int():
                self.session.grade(action)
            case "skip":
                self.session.skip()
            case "skip query":
                self.session.skip_query()
            case _:
                self.session.undo()

    @property
    def grades(self) -> Kept:
        return {key: grade for key, grade in self.kept.items() if grade is not None}

    @property
    def state(self) -> object:
        session = self.session
        return session.current, session.left, session.given, self.grades

    @property
    def now(self) -> Item:
        assert self.session.current is not None
        return self.session.current

    def rest(self) -> list[Item]:
        """Grade all that is left and return it in the order in which it came."""
        found: list[Item] = []
        while item := self.session.current:
            found.append(item)
            self.session.grade(0)
        return found


# The session


def test_one_query_is_finished_before_the_next_and_what_has_a_grade_is_left_out() -> None:
    items = Judging().rest()
    assert [item.query for item in items] == ["q1"] * 3 + ["q2"] * 2
    assert {item.document for item in items[:3]} == {"bread", "oven", "stone"}
    assert {item.document for item in items[3:]} == {"garage", "engine"}
    assert {item.text for item in items[3:]} == {"mend a car"}


def test_the_order_is_the_same_in_every_session_whatever_order_the_pool_has() -> None:
    turned = [JudgedQuery(q.id, q.text, grades=dict(reversed(list(q.grades.items())))) for q in JUDGED]
    assert Judging().rest() == Judging(turned).rest()


def test_a_new_session_goes_on_where_the_last_one_ended() -> None:
    expected = Judging().rest()
    first = Judging()
    first.do(3)
    first.do(0)
    resumed = [
        JudgedQuery(q.id, q.text, grades={d: first.grades.get((q.id, d), g) for d, g in q.grades.items()})
        for q in JUDGED
    ]
    assert Judging(resumed).rest() == expected[2:]


def test_a_limit_takes_the_first_queries_that_wait_and_counts_the_others() -> None:
    judging = Judging(limit=1)
    assert (judging.session.left, judging.session.beyond) == (Left(3, 1), Left(2, 1))
    assert {item.query for item in judging.rest()} == {"q1"}


def test_a_skipped_item_comes_again_after_all_others() -> None:
    judging = Judging()
    expected = Judging().rest()
    judging.do("skip")
    assert judging.rest() == [*expected[1:], expected[0]]


def test_a_skipped_query_comes_again_whole() -> None:
    judging = Judging()
    expected = Judging().rest()
    judging.do(1)
    judging.do("skip query")
    assert judging.rest() == [*expected[3:], *expected[1:3]]


def test_the_only_item_left_is_skipped_to_itself() -> None:
    judging = Judging([JudgedQuery("q", "x", grades={"d": None})])
    judging.do("skip")
    assert judging.now.document == "d"


def test_undo_goes_back_over_the_border_between_queries_and_restores_that_there_was_no_grade() -> None:
    judging = Judging()
    judging.do(3)
    judging.do(3)
    last = judging.now
    judging.do(2)
    assert (last.query, judging.now.query) == ("q1", "q2")
    judging.do("undo")
    assert judging.now == last
    assert judging.kept[last.query, last.document] is None


def test_undo_at_the_beginning_does_nothing() -> None:
    judging = Judging()
    assert judging.session.undo() is None
    assert judging.kept == {}


def test_a_grade_that_could_not_be_kept_is_not_given() -> None:
    def refuse(query: str, document: str, grade: int | None) -> None:
        raise NotFound("gone")

    session = Session(JUDGED, refuse)
    before = session.current
    with pytest.raises(NotFound):
        session.grade(3)
    assert (session.current, session.can_undo, session.given.total()) == (before, False, 0)


@pytest.mark.parametrize("grade", [-1, 4, 100])
def test_what_is_no_grade_is_refused(grade: int) -> None:
    judging = Judging()
    with pytest.raises(UsageError, match="not a grade"):
        judging.do(grade)
    assert judging.kept == {}


def test_nothing_can_be_done_to_nothing() -> None:
    judging = Judging([DONE])
    assert judging.session.current is None
    for action in (0, "skip", "skip query"):
        with pytest.raises(UsageError, match="Nothing is left"):
            judging.do(action)


@given(ACTIONS)
def test_what_is_kept_is_what_was_given_and_not_taken_back_and_undo_is_the_inverse(actions: list[int | str]) -> None:
    judging = Judging()
    before: list[object] = []
    given: list[tuple[Item, int] | None] = []
    for action in actions:
        item = judging.session.current
        if action == "undo":
            judging.do(action)
            if before:
                assert judging.state == before.pop()
                given.pop()
        elif item:
            before.append(judging.state)
            given.append((item, action) if isinstance(action, int) else None)
            judging.do(action)
        graded = {(item.query, item.document): grade for item, grade in filter(None, given)}
        assert judging.grades == graded
        assert judging.session.left.documents == 5 - len(graded)
    assert set(Judging().rest()) == {*judging.rest(), *(item for item, _ in filter(None, given))}


# The front end


@dataclass
class Terminal:
    """Presses keys one after the other, then ends; keeps what was written."""

    keys: Sequence[str]
    written: list[str] = field(default_factory=list)
    pressed: int = 0

    def read_key(self) -> str | None:
        self.pressed += 1
        return self.keys[self.pressed - 1] if self.pressed <= len(self.keys) else None

    @property
    def text(self) -> str:
        return "\n".join(self.written)


def shown(item: Item, whole: bool) -> str:
    return f"<{'whole ' if whole else ''}{item.document}>"


def judged_with(judging: Judging, *keys: str) -> Terminal:
    terminal = Terminal(keys)
    run(judging.session, shown, terminal.read_key, terminal.written.append, resume="tandem judgments judge")
    return terminal


def test_keys_give_grades_and_the_end_says_what_was_judged_what_is_left_and_how_to_go_on() -> None:
    judging = Judging()
    first = judging.now
    terminal = judged_with(judging, "3", "0", "q", "1")
    assert list(judging.kept.values()) == [3, 0]
    assert judging.kept[first.query, first.document] == 3
    assert terminal.pressed == 3
    assert terminal.written[-1] == (
        "Judged 2 documents: 1 perfect, 1 not relevant.\n"
        "3 documents of 2 queries left; `tandem judgments judge` goes on."
    )


def test_what_the_limit_left_out_is_left_at_the_end() -> None:
    assert "2 documents of 1 query left" in judged_with(Judging(limit=1), "1", "1", "1", "q").written[-1]


def test_the_screen_shows_progress_query_document_and_keys() -> None:
    judging = Judging()
    screen = judged_with(judging, "q").text
    assert "5 documents of 2 queries to judge\nQuery: how to bake a loaf\n\n<" + judging.now.document in screen
    assert all(f"{grade} {meaning}" in screen for grade, meaning in GRADES.items())


def test_the_end_of_input_is_a_way_to_quit() -> None:
    assert "Judged 0 documents." in judged_with(Judging()).written[-1]


@pytest.mark.parametrize("key", ["", "x", "4", "-1", "33", "\x1b", "\x1b[3~", "3 perfect", "é", "\u0663", "³"])
def test_an_unknown_key_writes_no_grade_and_says_so_once(key: str) -> None:
    judging = Judging()
    terminal = judged_with(judging, key)
    assert judging.kept == {}
    assert terminal.text.count("That key does nothing here") == 1
    assert terminal.text.count(f"<{judging.now.document}>") == 1


def test_capitals_are_keys_too() -> None:
    judging = Judging()
    assert judged_with(judging, "S", "Q").pressed == 2
    assert judging.kept == {}


def test_help_tells_what_the_grades_mean_and_full_text_shows_it_with_the_query_again() -> None:
    judging = Judging()
    terminal = judged_with(judging, "?", "f")
    assert fitted(HELP) + "\n" in terminal.written
    assert f"<whole {judging.now.document}>\n\nQuery: how to bake a loaf\n" in terminal.written


def test_undo_shows_the_document_again() -> None:
    judging = Judging()
    first = judging.now
    terminal = judged_with(judging, "u", "2", "u")
    assert "There is nothing to undo." in terminal.written
    assert "> took back: good" in terminal.written
    assert terminal.text.count(f"<{first.document}>") == 2
    assert judging.kept == {(first.query, first.document): None}


def test_the_last_grade_can_be_taken_back() -> None:
    judging = Judging()
    terminal = judged_with(judging, *"11111", "3", "u", "2", "q")
    assert "All of these are judged." in terminal.text
    assert sorted(filter(None, judging.kept.values())) == [1, 1, 1, 1, 2]
    assert "Nothing is left to judge" in terminal.written[-1]


def test_a_set_with_nothing_to_judge_ends_at_once() -> None:
    terminal = judged_with(Judging([DONE]), "3")
    assert terminal.pressed == 0
    assert "`tandem judgments pool` finds more" in terminal.text


def test_what_was_judged_is_said_after_an_interrupt_too() -> None:
    judging = Judging()
    written: list[str] = []
    keys = iter(["3"])

    def interrupted() -> str:
        if key := next(keys, None):
            return key
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(judging.session, shown, interrupted, written.append, resume="again")
    assert "Judged 1 document: 1 perfect." in written[-1]
    assert list(judging.kept.values()) == [3]


# Documents in words


def heading(text: str, level: int = 2) -> Block:
    return Block(BlockKind.HEADING, text, level)


def paragraph(text: str) -> Block:
    return Block(BlockKind.PARAGRAPH, text)


BREAD = Document(
    "bread",
    "All about bread",
    (
        heading("All about bread", 1),
        paragraph("Grain is old."),
        heading("Baking"),
        heading("Ovens", 3),
        paragraph("Bake the loaf hot."),
        heading("Cutting"),
        paragraph("Wait an hour."),
    ),
    url="https://example.org/bread",
)

Shown = Callable[..., str]


@pytest.fixture
def show(catalog: Catalog, collection: Collection) -> Shown:
    """Keeps a document and shows it for a query."""

    def keep_and_show(document: Document, query: str, *, whole: bool = False, markup: Markup = PLAIN) -> str:
        catalog.documents.put(collection, Batch("here", [DocumentRecord(document, document.id, ())]), str.split)
        return Display(catalog, collection, markup).show(Item("q", query, document.id), whole)

    return keep_and_show


def test_a_document_is_shown_by_title_address_and_the_passages_that_match(show: Shown) -> None:
    assert show(BREAD, "baking a loaf") == (
        "All about bread\nhttps://example.org/bread\n\n  Baking > Ovens\n  Bake the loaf hot."
    )


def test_of_many_matches_the_best_are_shown_in_the_order_they_have_in_the_document(show: Shown) -> None:
    texts = ("one loaf", "a warm loaf to bake", "two", "bake a loaf", "how to bake", "loaf: how to bake one")
    blocks = [block for place, text in enumerate(texts) for block in (heading(f"Part {place}"), paragraph(text))]
    seen = show(Document("d", "d", tuple(blocks)), "bake a warm loaf")
    assert [line.strip() for line in seen.split("\n") if "Part" in line] == ["Part 1", "Part 3", "Part 5"]


def test_a_document_of_headings_alone_shows_them(show: Shown) -> None:
    assert show(Document("d", "d", (heading("Ovens"), heading("Loaf"))), "loaf") == "d\n\n  Loaf"


def test_a_document_that_matches_nowhere_is_shown_by_its_beginning(show: Shown) -> None:
    assert show(BREAD, "zebra").endswith("bread\n\n  Grain is old.")


def test_the_whole_text_is_shown_when_asked(show: Shown) -> None:
    whole = show(BREAD, "baking", whole=True)
    assert "# All about bread\n\n  Grain is old." in whole
    assert whole.endswith("Wait an hour.")


def test_matches_are_bold_where_the_terminal_shows_that(show: Shown) -> None:
    assert "\x1b[1mBake\x1b[22m the loaf" in show(BREAD, "baking", markup=BOLD)
    assert "\x1b" not in show(BREAD, "baking")


def test_no_part_of_a_document_reaches_the_terminal_as_a_command(show: Shown) -> None:
    evil = "bake \x1b[2J\x9b31m\u202e\x02\x03\x04\x05\x07\r loaf"
    document = Document(evil, evil, (heading(evil), paragraph(evil)), url=evil)
    for whole in (False, True):
        seen = show(document, "loaf " + evil, whole=whole, markup=BOLD).replace("\x1b[1m", "").replace("\x1b[22m", "")
        assert all(c.isprintable() or c == "\n" for c in seen)


def test_no_part_of_a_query_reaches_the_terminal_as_a_command() -> None:
    judging = Judging([JudgedQuery("q", "a\x1b[2J\nb", grades={"d": None})])
    assert "Query: a\ufffd[2J b\n" in judged_with(judging, "f").text


def test_a_document_without_text_says_so(show: Shown) -> None:
    assert show(Document("bare", "", ()), "x") == "bare\n\n  (It has no text.)"
    assert show(Document("bare", "", ()), "x", whole=True) == "bare\n\n  (It has no text.)"


def test_a_document_that_is_gone_says_so_by_its_id(catalog: Catalog, collection: Collection) -> None:
    assert (
        Display(catalog, collection).show(Item("q", "x", "was\x1bhere")).startswith("was\ufffdhere\nThis document is g")
    )


def test_lines_fit_a_narrow_terminal(show: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    judging = Judging()
    narrow = judged_with(judging, "?", "x", "3").text + show(page("p", "word " * 90, "x" * 90), "word", markup=BOLD)
    assert max(len(line) for line in narrow.replace("\x1b[1m", "").replace("\x1b[22m", "").split("\n")) <= 24
    assert "0 not relevant" in narrow


def test_wide_characters_take_two_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert fitted("日本" * 10) == "日本" * 5 + "\n" + "日本" * 5


def test_code_keeps_its_shape() -> None:
    assert fitted("if x:\n    y()\n\n\tz()", indent="  ") == "  if x:\n      y()\n\n      z()"


# Keys


def test_stdin_that_is_no_terminal_is_read_by_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b" 3 \n\n\xff\nq"), encoding="utf-8"))
    with keyboard() as read_key:
        assert [read_key() for _ in range(6)] == ["3", "", "\ufffd", "q", None, None]


def test_a_closed_stdin_is_the_end_of_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with keyboard() as read_key:
        assert read_key() is None


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX")
def test_a_terminal_gives_single_keys_and_is_restored_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    import pty
    import termios

    master, slave = pty.openpty()
    with os.fdopen(slave, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        before = termios.tcgetattr(slave)
        keys: list[str | None] = []

        def press() -> None:
            with keyboard() as read_key:
                modes = termios.tcgetattr(slave)[3]
                assert not modes & (termios.ICANON | termios.ECHO)
                assert modes & termios.ISIG, "Ctrl-C must interrupt"
                for pressed in (b"3", b"\x1b[3~", b"33", b"\n", "é".encode(), b"\x1b", b"\x04"):
                    os.write(master, pressed)
                    keys.append(read_key())
                signal.raise_signal(signal.SIGINT)

        # Whoever runs the tests in the background has it ignored.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                press()
        finally:
            signal.signal(signal.SIGINT, handler)
        assert keys == ["3", "\x1b[3~", "33", "", "é", "\x1b", None]
        assert termios.tcgetattr(slave) == before
    os.close(master)


def test_windows_keys_are_read_one_by_one_and_special_ones_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = iter("3\xe0S\x00;q\x1a\x03")
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(getwch=lambda: next(pressed)))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with keyboard() as read_key:
        assert [read_key() for _ in range(5)] == ["3", "\xe0S", "\x00;", "q", None]
        with pytest.raises(KeyboardInterrupt):
            read_key()


# All together


def test_grades_are_kept_in_the_catalog_at_once_and_judging_resumes(
    catalog: Catalog, collection: Collection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.documents.put(collection, Batch("here", [DocumentRecord(BREAD, "bread", ())]), str.split)
    catalog.judgments.put(collection, "mine", JUDGED)
    for lines, queries in (("3\n2\nu\n", 1), ("0\n0\n0\n0\nq\n", None)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        judge(catalog, collection, "mine", queries=queries)
    out = capsys.readouterr().out
    assert "All about bread" in out
    assert "This document is gone" in out
    assert "4 documents of 2 queries left; `tandem judgments judge --name mine` goes on." in out
    assert "\x1b" not in out
    kept = {query.id: query.grades for query in catalog.judgments.get(collection, "mine")}
    assert kept["q0"] == DONE.grades
    assert sorted(kept["q1"].values(), key=str) == [0, 0, 3]
    assert sorted(kept["q2"].values(), key=str) == [0, 0, 0]


def test_an_unknown_set_cannot_be_judged(catalog: Catalog, collection: Collection) -> None:
    with pytest.raises(NotFound, match="no judgment set"):
        judge(catalog, collection, "mine")
