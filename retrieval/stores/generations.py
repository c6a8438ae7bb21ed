"""Which folder an index lies in: it is made anew in another one, and a small file says which of them is current.

FOLDER/current          the name of the current generation; while there is no such file, that is FOLDER itself
FOLDER/generation-*     others: the current one, one that is being made, or what a kill has left of one
"""

import os
import re
import shutil
import uuid
from pathlib import Path

from retrieval.errors import StoreError
from retrieval.stores.lock import read_owner

CURRENT = "current"
SHARD, CLEARED, SOFT_DELETES, UNFLUSHED = "shard", "cleared", "soft-deletes", "unflushed"
"""What a generation consists of: the engine's folder, one that is being deleted, two marks."""

_DRAFT = f"{CURRENT}.new"
_NAME = re.compile(r"generation-[0-9a-f]{32}")


def new_generation(folder: Path) -> Path:
    """Return a new folder for a generation, made."""
    generation = folder / f"generation-{uuid.uuid4().hex}"
    generation.mkdir()
    return generation


def current_generation(folder: Path) -> Path:
    """Return the folder of the current generation. Raises StoreError when what names it cannot be read, or misleads."""
    try:
        name = (folder / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return folder
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / CURRENT} cannot be read ({error}). Run `tandem reindex`.") from error
    if not _NAME.fullmatch(name) or not (folder / name).is_dir():
        raise StoreError(f"{folder / CURRENT} names {name[:100]!r}, which is no index there. Run `tandem reindex`.")
    return folder / name


def make_current(folder: Path, generation: Path) -> None:
    """Make a generation the current one, at once and for good; all of it must be on the disk."""
    draft = folder / _DRAFT
    with draft.open("w", encoding="utf-8") as file:
        file.write(generation.name)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / CURRENT)
    sync(folder)


def remove_generation(folder: Path, generation: Path) -> None:
    """Delete a generation, which may be FOLDER itself, as the first one is; harmless where something is gone."""
    if generation != folder:
        shutil.rmtree(generation, ignore_errors=True)
        return
    for part in (SHARD, CLEARED):
        shutil.rmtree(folder / part, ignore_errors=True)
    for mark in (SOFT_DELETES, UNFLUSHED):
        (folder / mark).unlink(missing_ok=True)


def remove_others(folder: Path) -> None:
    """Delete every generation but the current one; one that a process is at work on is left to the next opening."""
    current = current_generation(folder)
    (folder / _DRAFT).unlink(missing_ok=True)
    for found in folder.iterdir():
        if _NAME.fullmatch(found.name) and found != current and read_owner(found) is None:
            remove_generation(folder, found)
    if current != folder:
        remove_generation(folder, folder)


def sync_all(folder: Path) -> None:
    """Return once every file below a folder, and every name, would survive a power cut."""
    for parent, _, names in os.walk(folder):
        for path in (*(Path(parent) / name for name in names), Path(parent)):
            sync(path)


def sync(path: Path) -> None:
    """Return once a file's content, or a folder's names, would survive a power cut; Windows has no such thing."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
