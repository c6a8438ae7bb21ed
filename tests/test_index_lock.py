"""One process owns an on-disk index, and the next one is told which."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.errors import IndexBusy, StoreError
from retrieval.stores.edge import EdgeStore
from retrieval.stores.lock import NOTE_FILE, Owner, OwnerLock, read_owner

HOLDER = """
import sys
from pathlib import Path
from retrieval.stores.lock import OwnerLock
lock = OwnerLock(Path(sys.argv[1]), command="tandem serve")
lock.acquire()
lock.announce("http://127.0.0.1:8080")
print("held", flush=True)
sys.stdin.read()
lock.release()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "default"


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_holds_the_index(folder: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(IndexBusy, match=rf"'default' is held by `tandem serve` \(process {holder.pid} on .*8080"):
        OwnerLock(folder).acquire()
    with pytest.raises(IndexBusy, match=str(holder.pid)):
        EdgeStore(folder)
    owner = read_owner(folder)
    assert owner is not None
    assert (owner.pid, owner.command, owner.address) == (holder.pid, "tandem serve", "http://127.0.0.1:8080")


def test_a_killed_owner_is_owner_no_more_though_its_note_remains(folder: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (folder / NOTE_FILE).exists()
    assert read_owner(folder) is None
    with OwnerLock(folder, command="tandem ingest"):
        owner = read_owner(folder)
        assert owner is not None
        assert (owner.pid, owner.command) == (os.getpid(), "tandem ingest")
    assert read_owner(folder) is None


def test_a_released_lock_is_free_for_the_next(folder: Path, holder: subprocess.Popen[str]) -> None:
    holder.communicate("")
    assert not (folder / NOTE_FILE).exists()
    EdgeStore(folder).close()


def test_the_same_process_cannot_hold_it_twice(folder: Path) -> None:
    with OwnerLock(folder), pytest.raises(IndexBusy):
        OwnerLock(folder).acquire()


def test_a_note_of_a_dead_process_is_not_taken_for_the_new_owners(folder: Path) -> None:
    with OwnerLock(folder) as lock:
        note = folder / NOTE_FILE
        fields = json.loads(note.read_text())
        note.write_text(json.dumps(fields | {"pid": 2**22 + 1}))
        assert read_owner(folder) == Owner()
        note.write_text("{broken")
        assert read_owner(folder) == Owner()
        with pytest.raises(IndexBusy, match="held by another process"):
            OwnerLock(folder).acquire()
        lock.announce("http://127.0.0.1:1")
        assert read_owner(folder) != Owner()


def test_an_owner_on_another_host_is_believed(folder: Path) -> None:
    with OwnerLock(folder):
        note = folder / NOTE_FILE
        note.write_text(json.dumps(json.loads(note.read_text()) | {"pid": 2**22 + 1, "host": "container"}))
        owner = read_owner(folder)
        assert owner is not None
        assert owner.host == "container"


def test_nobody_owns_what_is_not_there(folder: Path) -> None:
    assert read_owner(folder) is None
    OwnerLock(folder).release()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot lock the index"):
        OwnerLock(tmp_path / "file" / "default").acquire()
