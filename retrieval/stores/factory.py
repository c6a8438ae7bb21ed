"""Which store a process uses, and where it lies. Engines are imported only when chosen."""

import shutil
import sys
from pathlib import Path

from retrieval.errors import StoreError, UsageError
from retrieval.settings import Settings
from retrieval.stores.base import Store
from retrieval.stores.lock import OwnerLock


def open_store(settings: Settings, collection: str, *, command: str = "") -> Store:
    """Open the index of a collection, creating it when absent; `command` names this process to others.

    A memory store comes back empty, for the caller to fill from the catalog. Raises IndexBusy when another process
    owns an on-disk index, StoreError when the engine fails, UsageError for a name or settings that cannot be used.
    """
    folder = index_folder(settings, collection)
    if settings.store == "memory":
        from retrieval.stores.memory import MemoryStore

        return MemoryStore()
    if settings.store == "qdrant":
        from retrieval.stores.qdrant import QdrantStore

        return QdrantStore.connect(_qdrant_url(settings), settings.qdrant_api_key, collection)
    try:
        from retrieval.stores.edge import EdgeStore
    except ImportError as error:
        raise StoreError(
            f"Qdrant Edge cannot be loaded on this machine ({sys.platform}): {error}. "
            "Set TANDEM_STORE=memory, or TANDEM_STORE=qdrant with a server."
        ) from error
    return EdgeStore(folder, command=command)


def remove_store(settings: Settings, collection: str) -> None:
    """Delete the index of a collection for good, engine's files or server's collection; harmless when absent.

    Raises IndexBusy when another process owns it.
    """
    folder = index_folder(settings, collection)
    if settings.store == "qdrant":
        from retrieval.stores.qdrant import QdrantStore

        store = QdrantStore.connect(_qdrant_url(settings), settings.qdrant_api_key, collection)
        store.remove()
        store.close()
    elif folder.is_dir():
        with OwnerLock(folder):
            shutil.rmtree(folder, ignore_errors=True)


def index_folder(settings: Settings, collection: str) -> Path:
    """Return the folder of a collection's on-disk index. Raises UsageError for a name that is no plain folder name."""
    if not collection or collection.startswith(".") or any(c in "/\\:\0" or not c.isprintable() for c in collection):
        raise UsageError(f"Collection {collection[:100]!r} is not a usable name; use letters, digits, '-' and '_'.")
    return settings.index_dir / collection


def _qdrant_url(settings: Settings) -> str:
    if not settings.qdrant_url:
        raise UsageError(
            "TANDEM_STORE is qdrant but TANDEM_QDRANT_URL is empty; set it, such as http://localhost:6333."
        )
    return settings.qdrant_url
