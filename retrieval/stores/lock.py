"""One process owns an on-disk index at a time: an operating-system lock, and a note beside it that names the owner.

The lock is the truth and dies with its process. The note only explains it, so a note left by a killed process is
never taken for an owner.
"""

import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from retrieval.errors import IndexBusy, StoreError

LOCK_FILE, NOTE_FILE = "owner.lock", "owner.json"

# A reader of the lock holds it for microseconds; an owner that just took it writes its note a moment later.
_ATTEMPTS, _PAUSE_S = 5, 0.02


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds an index. `pid` is 0 and `command` empty when the owner has left no note.

    `since` is an ISO 8601 time in UTC; `address` is the URL of its HTTP service, empty if it has none.
    """

    pid: int = 0
    command: str = ""
    since: str = ""
    address: str = ""
    host: str = ""

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        since = f", since {self.since}" if self.since else ""
        return f"`{self.command or 'a process'}` (process {self.pid} on {self.host}{since})"


class OwnerLock:
    """An exclusive lock on an index's folder, held from acquire() to release() or the end of the process."""

    def __init__(self, folder: Path, *, command: str = "") -> None:
        """`command` is how the owner is named to others; by default the command line of this process."""
        self._folder = folder
        self._descriptor: int | None = None
        self._owner = Owner(
            pid=os.getpid(),
            command=command or _command_line(),
            since=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            host=socket.gethostname(),
        )

    def acquire(self) -> None:
        """Take the lock, making the folder if needed. Raises IndexBusy naming the owner; StoreError for the folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = _take(self._folder / LOCK_FILE)
            if self._descriptor is not None:
                self._write_note(self._owner)
        except OSError as error:
            self.release()
            raise StoreError(f"Cannot lock the index in {self._folder}: {error}. Check the folder's rights.") from error
        if self._descriptor is None:
            raise _busy(self._folder)

    def announce(self, address: str) -> None:
        """Tell others the URL at which this owner answers HTTP."""
        self._owner = replace(self._owner, address=address)
        if self._descriptor is not None:
            self._write_note(self._owner)

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is None:
            return
        (self._folder / NOTE_FILE).unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _write_note(self, owner: Owner) -> None:
        draft = self._folder / f"{NOTE_FILE}.new"
        draft.write_text(json.dumps(asdict(owner)), encoding="utf-8")
        draft.replace(self._folder / NOTE_FILE)


def read_owner(folder: Path) -> Owner | None:
    """Return who holds the index in a folder, or None when nobody does."""
    for _ in range(_ATTEMPTS):
        if not _is_held(folder / LOCK_FILE):
            return None
        owner = _read_note(folder / NOTE_FILE)
        if owner is not None and _may_live(owner):
            return owner
        time.sleep(_PAUSE_S)
    return Owner()


def _busy(folder: Path) -> IndexBusy:
    """Return the error to raise when another process holds the index."""
    owner = read_owner(folder) or Owner()
    ask = f"ask it over HTTP at {owner.address}" if owner.address else "ask it over HTTP if it is `tandem serve`"
    held = f"The index of collection {folder.name!r} is held by {owner}."
    return IndexBusy(f"{held} Wait for it, {ask}, or stop it.", held=held)


def _take(path: Path) -> int | None:
    for attempt in range(_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if _locked(descriptor):
            return descriptor
        os.close(descriptor)
        if attempt + 1 < _ATTEMPTS:
            time.sleep(_PAUSE_S)
    return None


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read_note(path: Path) -> Owner | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        texts = {name: str(fields[name])[:500] for name in ("command", "since", "address", "host")}
        return Owner(pid=int(fields["pid"]), **texts)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _may_live(owner: Owner) -> bool:
    # A process in another container or on another machine cannot be seen from here; the lock says that it lives.
    if owner.host != socket.gethostname() or sys.platform == "win32":
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _command_line() -> str:
    words = [Path(sys.argv[0]).name or "python", *sys.argv[1:]]
    return " ".join(words)[:200]
