"""A process of its own that makes an index anew from the catalog, compacted: what would stop a process that serves.

    python -m indexer.building COLLECTION FOLDER FIELDS

FOLDER is a new generation, FIELDS a JSON list of payload fields to index; FOLDER/built.json then says how it went.
"""

import json
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.carrying import Carried, as_json
from indexer.pace import give_way
from indexer.points import fill
from retrieval.catalog import Catalog, Collection
from retrieval.errors import StoreError, TandemError
from retrieval.settings import Settings
from retrieval.stores.edge import EdgeStore
from retrieval.stores.generations import sync_all

RESULT = "built.json"


@dataclass(frozen=True, slots=True)
class Built:
    """What a new index holds: how many points, and the states of their vectors."""

    points: int
    states: Mapping[str, Carried]


def build(catalog: Catalog, collection: Collection, folder: Path, fields: Iterable[str]) -> Built:
    """Make an index in a new folder, compact it, and return once it would survive a power cut."""
    with closing(EdgeStore(folder)) as store:
        states = fill(catalog, collection, store)
        store.index_fields(fields)
        store.compact()
        points = store.count()
    sync_all(folder)
    return Built(points, states)


def read_built(folder: Path) -> Built:
    """Return what was built in a folder. Raises StoreError, saying why, when it was not."""
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError("The process that made the index anew was ended before it was done.") from error
    if "error" in result:
        raise StoreError(f"The index could not be made anew: {result['error']}")
    return Built(result["points"], {name: Carried(**state) for name, state in result["states"].items()})


def main() -> None:
    """Build what the arguments name; the process ends with its stdin, which whoever started it holds open."""
    end_with_stdin()
    give_way()
    collection, folder, fields = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    try:
        catalog = Catalog.open(Settings.from_environment().resolved_catalog_url)
        built = build(catalog, catalog.collections.get(collection), folder, fields)
    except TandemError as error:
        (folder / RESULT).write_text(json.dumps({"error": str(error)}), encoding="utf-8")
        sys.exit(1)
    result = {"points": built.points, "states": as_json(built.states)}
    (folder / RESULT).write_text(json.dumps(result), encoding="utf-8")


def end_with_stdin() -> None:
    """End this process when its stdin does, also while the engine keeps every thread of Python from running."""
    if sys.platform == "linux":
        import fcntl
        import signal

        fcntl.fcntl(sys.stdin, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(sys.stdin, fcntl.F_SETSIG, signal.SIGKILL)  # the kernel sends it; a handler would wait for Python
        fcntl.fcntl(sys.stdin, fcntl.F_SETFL, fcntl.fcntl(sys.stdin, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_watch, daemon=True).start()  # for other systems, and for a stdin that has ended before


def _watch() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
