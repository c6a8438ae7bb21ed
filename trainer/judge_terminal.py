"""Judging in a terminal: single keys, or lines where the input is none."""

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Final

from retrieval.catalog import DEFAULT_COLLECTION, Catalog, Collection
from retrieval.console import print_line
from retrieval.snippets import BOLD, PLAIN
from trainer.judge_display import KEPT, Display, fitted, on_one_line, width
from trainer.judging import GRADES, Item, Left, Session

HELP: Final = """\
What is the document worth to someone who asked this?
  3  perfect: it answers the query fully
  2  good: it answers a part of it, or all of it among much else
  1  somewhat: it is about the same thing, and answers nothing
  0  not relevant: a judgment too, worth as much as the others
s puts the document at the end of the line, n all that are left of its query. u takes back the last of these, then the \
one before it. Every grade is kept at once: q loses nothing, nor does Ctrl-C."""
ESCAPE_S = 0.05
"""How soon the rest of a special key's sequence comes: sooner than a person presses another key."""

_KEYS: Final = {
    **{str(grade): meaning for grade, meaning in GRADES.items()},
    "s": "skip",
    "n": "next query",
    "u": "undo",
    "f": "full text",
    "?": "help",
    "q": "quit",
}

Show = Callable[[Item, bool], str]
"""Puts an item's document into words: its best passages, or, if the flag says so, all of it."""
ReadKey = Callable[[], str | None]
"""Waits for a key; None is the end of input."""
Write = Callable[[str], None]


def judge(catalog: Catalog, collection: Collection, name: str, *, queries: int | None = None) -> None:
    """Let a person at the terminal judge what waits in a judgment set, in the first `queries` queries that have some.

    Raises NotFound for an unknown set.
    """

    def keep(query: str, document: str, grade: int | None) -> None:
        catalog.judgments.grade(collection, name, query, {document: grade})

    session = Session(catalog.judgments.get(collection, name), keep, name=name, limit=queries)
    markup = BOLD if sys.stdout.isatty() and "NO_COLOR" not in os.environ else PLAIN
    here = "" if collection.name == DEFAULT_COLLECTION else f" -c {collection.name}"
    with keyboard() as read_key:
        show = Display(catalog, collection, markup).show
        run(session, show, read_key, print_line, resume=f"tandem judgments judge --name {name}{here}")


def run(session: Session, show: Show, read_key: ReadKey, write: Write, *, resume: str) -> None:
    """Go through a session until it is done, q is pressed or input ends, and say what was judged, also after Ctrl-C.

    `resume` is the command that goes on.
    """
    try:
        if session.current:
            write(fitted("Give each document a grade by what it is worth to someone who asked the query; ? says more."))
        _converse(session, show, read_key, write)
    finally:
        write(fitted(_summary(session, resume)))


def _converse(session: Session, show: Show, read_key: ReadKey, write: Write) -> None:
    is_new = True
    while (item := session.current) or session.can_undo:
        if is_new:
            write(_screen(session.left, item, show))
        write(fitted(_listed(_KEYS if item else "uq")))
        key = read_key()
        key = key and key.lower()
        if key in (None, "q"):
            return
        done = _act(session, key)
        is_new = done is not None
        write(done or _told(key, item, show))


def _act(session: Session, key: str) -> str | None:
    """Do what a key stands for and say what was done; None for a key that does nothing now."""
    if key == "u":
        action = session.undo()
        return f"> took back: {'skip' if action.grade is None else GRADES[action.grade]}" if action else None
    if session.current is None:
        return None
    if key == "s":
        session.skip()
    elif key == "n":
        session.skip_query()
    elif key in map(str, GRADES):
        session.grade(int(key))
    else:
        return None
    return f"> {_KEYS[key]}"


def _told(key: str, item: Item | None, show: Show) -> str:
    match key:
        case "?":
            return fitted(HELP) + "\n"
        case "f" if item:
            return f"{show(item, True)}\n\n{fitted(_asked(item))}\n"
        case "u":
            return "There is nothing to undo."
        case _:
            return fitted("That key does nothing here; press one of these.")


def _screen(left: Left, item: Item | None, show: Show) -> str:
    rule = "-" * width()
    if item is None:
        return f"{rule}\n{fitted('All of these are judged.')}"
    heads = fitted(f"{_counted(left)} to judge\n{_asked(item)}")
    return f"{rule}\n{heads}\n\n{show(item, False)}\n"


def _asked(item: Item) -> str:
    return f"Query: {on_one_line(item.text)}"


def _listed(keys: Iterable[str]) -> str:
    """Return keys with their meanings, to be wrapped between two of them."""
    return "  ".join(f"{key} {_KEYS[key]}".replace(" ", KEPT) for key in keys)


def _summary(session: Session, resume: str) -> str:
    given, left, beyond = session.given, session.left, session.beyond
    grades = ", ".join(f"{given[grade]} {meaning}" for grade, meaning in GRADES.items() if given[grade])
    judged = f"Judged {_plural(given.total(), 'document', 'documents')}" + (f": {grades}." if grades else ".")
    left = Left(left.documents + beyond.documents, left.queries + beyond.queries)
    if not left.documents:
        return f"{judged}\nNothing is left to judge; `tandem judgments pool` finds more documents."
    return f"{judged}\n{_counted(left)} left; `{resume}` goes on."


def _counted(left: Left) -> str:
    return f"{_plural(left.documents, 'document', 'documents')} of {_plural(left.queries, 'query', 'queries')}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


@contextmanager
def keyboard() -> Iterator[ReadKey]:
    """Give what reads single keys from a terminal, which afterwards is as it was, or lines where stdin is none."""
    if not (sys.stdin and sys.stdin.isatty()):
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        yield _read_line
    elif sys.platform == "win32":
        yield _read_windows_key
    else:
        import termios
        import tty

        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        try:
            tty.setcbreak(terminal)
            yield lambda: _read_posix_key(terminal)
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read_line() -> str | None:
    line = sys.stdin.readline() if sys.stdin else ""
    return line.strip() if line else None


def _read_posix_key(terminal: int) -> str | None:
    """Read what comes at once as one key: Delete sends a 3 among others, a paste anything, and neither is a grade."""
    import select

    pressed = os.read(terminal, 1024)
    if pressed == b"\x1b" and select.select([terminal], [], [], ESCAPE_S)[0]:
        pressed += os.read(terminal, 1024)
    return None if pressed in (b"", b"\x04") else pressed.decode("utf-8", "replace").strip("\r\n")


def _read_windows_key() -> str | None:
    msvcrt = import_module("msvcrt")  # whose content mypy knows on Windows alone
    pressed: str = msvcrt.getwch()
    if pressed == "\x03":
        raise KeyboardInterrupt
    if pressed in "\x00\xe0":  # an arrow or function key: the next one says which
        pressed += msvcrt.getwch()
    return None if pressed in ("\x04", "\x1a") else pressed
