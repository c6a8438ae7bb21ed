"""What an ingest would do, by content hash, before it does anything: new, changed, unchanged, gone."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from indexer.sources.base import Item, Problem, Source, SourceOptions
from retrieval.catalog import Catalog, Collection
from retrieval.errors import Skipped, SourceError, TandemError

HELD_BYTES = 256_000_000
"""Bytes of changed items kept between planning and parsing; beyond, an item is read a second time."""


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """An item to parse. `data` is what was read, or None when too much is held already."""

    item: Item
    content_hash: str
    size_bytes: int
    data: bytes | None
    is_new: bool
    same_pipeline: bool
    """Whether it was last ingested by the same parsers and settings, so that an equal document needs nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do for one source. `gone` are keys of items that are no longer there, or no longer readable as text."""

    source: Source
    todo: tuple[PlannedItem, ...]
    unchanged: int
    gone: tuple[str, ...]
    problems: tuple[Problem, ...]
    is_complete: bool
    """False when part of the source could not be listed: then nothing counts as gone."""
    kept: frozenset[str] = field(default_factory=frozenset)
    """Keys of items that are there and will not be parsed: what they held, they hold still."""

    @property
    def new(self) -> int:
        """How many items were never ingested."""
        return sum(planned.is_new for planned in self.todo)

    @property
    def changed(self) -> int:
        """How many items were ingested before and are different now."""
        return len(self.todo) - self.new


def pipeline_hash(source: Source, options: SourceOptions, settings: Mapping[str, object]) -> str:
    """Return a digest of all but the bytes that decides what an item becomes: parsers, options, chunking, analysis."""
    chosen = [options.format, options.base_url, dict(options.metadata), options.id_prefix]
    canonical = json.dumps([source.version, chosen, settings], sort_keys=True, default=str)
    return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of several sources, and what cannot be read, sources that cannot be listed among it."""

    plans: tuple[Plan, ...]
    problems: tuple[Problem, ...]

    @property
    def new(self) -> int:
        """How many items were never ingested."""
        return sum(plan.new for plan in self.plans)

    @property
    def changed(self) -> int:
        """How many items are different now."""
        return sum(plan.changed for plan in self.plans)

    @property
    def unchanged(self) -> int:
        """How many items need nothing."""
        return sum(plan.unchanged for plan in self.plans)

    @property
    def gone(self) -> tuple[str, ...]:
        """Keys of items that are no longer there."""
        return tuple(key for plan in self.plans for key in plan.gone)


def make_plans(
    catalog: Catalog,
    collection: Collection,
    sources: Sequence[Source],
    *,
    options: SourceOptions,
    settings: Mapping[str, object],
) -> Plans:
    """Plan each source; `settings` are those of the pipeline. A source that cannot be listed is a problem."""
    plans: list[Plan] = []
    problems: list[Problem] = []
    for source in sources:
        try:
            plan = make_plan(catalog, collection, source, pipeline_hash(source, options, settings))
        except TandemError as error:
            problems.append(Problem(source.root, str(error), skipped=False))
        else:
            plans.append(plan)
            problems.extend(plan.problems)
    return Plans(tuple(plans), tuple(problems))


def make_plan(catalog: Catalog, collection: Collection, source: Source, pipeline: str) -> Plan:
    """Read every item of the source and compare it with what the catalog has.

    Raises SourceError when the source itself cannot be listed.
    """
    known = catalog.documents.items(collection, source.root)
    todo: list[PlannedItem] = []
    problems: list[Problem] = []
    present: set[str] = set()
    skipped: set[str] = set()
    unchanged = held = 0
    is_complete = source.lists_all
    for entry in _listed(source):
        if isinstance(entry, Problem):
            problems.append(entry)
            is_complete = is_complete and entry.skipped
            continue
        present.add(entry.key)
        planned = _planned(source, entry, pipeline, known.get(entry.key))
        if isinstance(planned, Problem):
            problems.append(planned)
            skipped.update([entry.key] if planned.skipped else [])
        elif planned is None:
            unchanged += 1
        else:
            held += planned.size_bytes
            todo.append(planned if held <= HELD_BYTES else _without_data(planned))
    gone = tuple(sorted((known.keys() - present) | (known.keys() & skipped))) if is_complete else ()
    kept = frozenset(present - skipped - {planned.item.key for planned in todo})
    return Plan(source, tuple(todo), unchanged, gone, tuple(problems), is_complete, kept)


def _listed(source: Source) -> Iterator[Item | Problem]:
    try:
        yield from source.items()
    except TandemError:
        raise
    except Exception as error:  # a source is hostile input; whatever it provokes is its failure, not ours
        raise SourceError(f"{source.root} could not be listed: {type(error).__name__}: {error}.") from error


def _planned(source: Source, item: Item, pipeline: str, known: str | None) -> PlannedItem | Problem | None:
    try:
        data = source.read(item)
    except Skipped as error:
        return Problem(item.key, str(error), skipped=True)
    except SourceError as error:
        return Problem(item.key, str(error), skipped=False)
    except Exception as error:  # as in _listed
        return Problem(item.key, f"could not be read: {type(error).__name__}: {error}", skipped=False)
    content_hash = f"{pipeline}:{hashlib.blake2b(data, digest_size=16).hexdigest()}"
    if content_hash == known:
        return None
    same_pipeline = known is not None and known.startswith(f"{pipeline}:")
    return PlannedItem(item, content_hash, len(data), data, known is None, same_pipeline)


def _without_data(planned: PlannedItem) -> PlannedItem:
    return PlannedItem(
        planned.item, planned.content_hash, planned.size_bytes, None, planned.is_new, planned.same_pipeline
    )
