"""Whose vectors documents have to come with: the active model's, and those of one that is about to become it.

A promotion first embeds what is there and then switches. So that nothing is committed in between without the new
model's vectors, it announces itself in the setting `promoting`, and from then on every commit is held to both.
"""

from collections.abc import Set

from sqlalchemy import Connection, select

from retrieval.catalog import schema
from retrieval.catalog.collections import CONFIG, config_of
from retrieval.errors import CatalogError

PROMOTING = "promoting"


class NotEmbedded(CatalogError):
    """Documents were about to be committed without the vectors of a model that the collection needs."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"The collection's model became {version!r} while its documents were embedded by another; "
            "run the same command again."
        )
        self.version = version


def check_embedded(connection: Connection, collection_id: int, by: Set[str]) -> None:
    """Raise NotEmbedded unless `by`, passage fingerprints, has all that are due, inside the caller's transaction."""
    settings, models = schema.settings, schema.models
    asked = (settings.c.collection_id == collection_id, settings.c.name.in_([CONFIG, PROMOTING]))
    found = {row.name: row.value for row in connection.execute(select(settings.c.name, settings.c.value).where(*asked))}
    due = [config_of(found).model, found.get(PROMOTING) or ""]
    statement = select(models.c.version, models.c.passage_fingerprint).where(models.c.version.in_(due))
    known = {row.version: row.passage_fingerprint for row in connection.execute(statement)}
    for version in due:
        if version in known and known[version] not in by:
            raise NotEmbedded(version)
