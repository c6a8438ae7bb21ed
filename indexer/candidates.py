"""Which models' vectors an index is to carry: the active model's, and beside them those of candidates.

A candidate is a model that may be promoted at once, or gone back to: its vectors are on the same points.
"""

from collections.abc import Iterable, Sequence

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.collections import Settings

CANDIDATES = "candidates"
"""The collection's setting that lists them, by version."""


def candidates_of(catalog: Catalog, collection: Collection) -> list[str]:
    """Return the collection's candidates, oldest first."""
    return listed(catalog.collections.setting(collection, CANDIDATES))


def listed(setting: object) -> list[str]:
    """Return the setting as a list of versions."""
    return [str(version) for version in setting] if isinstance(setting, list) else []


def with_candidates(settings: Settings, *, add: Sequence[str] = (), drop: Iterable[str] = ()) -> Settings:
    """Return the settings with some candidates more or fewer."""
    kept = [version for version in listed(settings.get(CANDIDATES)) if version not in {*add, *drop}]
    return {**settings, CANDIDATES: [*kept, *add]}


def wanted_vectors(catalog: Catalog, collection: Collection) -> dict[str, int]:
    """Return the vectors that the index is to carry: dimensions by passage fingerprint, the active model's first.

    Models that share their passages' vectors, as an adapter does with its base, share one of them.
    """
    active = catalog.collections.get(collection.name).config.model
    versions = [*([active] if active else []), *candidates_of(catalog, collection)]
    known = {record.version: record for record in catalog.models.list()} if versions else {}
    return {known[version].passage_fingerprint: known[version].dimensions for version in versions if version in known}
