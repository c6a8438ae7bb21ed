"""Which index this is: a name that it and the catalog share, so that another one is never taken for it."""

import uuid
from pathlib import Path

from retrieval.catalog import Collection
from retrieval.settings import Settings


def identity(settings: Settings, collection: Collection) -> str | None:
    """Return the identity of the collection's index, None for one that has none yet."""
    if settings.store == "qdrant":
        return settings.qdrant_url
    path = _file(settings, collection)
    return path.read_text().strip() if path.is_file() else None


def new_identity(settings: Settings, collection: Collection) -> str:
    """Give the index an identity of its own, and return it."""
    if settings.store == "qdrant":
        return settings.qdrant_url
    path = _file(settings, collection)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(uuid.uuid4().hex)
    return path.read_text()


def _file(settings: Settings, collection: Collection) -> Path:
    return settings.index_dir / collection.name / "identity"
