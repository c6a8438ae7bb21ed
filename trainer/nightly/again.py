"""Ingest the sources of a collection again, each by itself: one that fails does not cost the others."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from indexer.ingest import Summary
from indexer.plan import Plans
from indexer.sources import Problem, Source, SourceOptions, open_source
from retrieval.catalog.sources import KeptSource
from retrieval.errors import TandemError, UsageError
from retrieval.home import Home
from trainer.nightly.outcome import SourceOutcome

SHOWN_FAILURES = 20

BringIn = Callable[[KeptSource, Sequence[Source], SourceOptions], Summary]
Look = Callable[[Sequence[Source], SourceOptions], Plans]


def ingested(home: Home, kept: Iterable[KeptSource], bring_in: BringIn) -> list[SourceOutcome]:
    """Ingest each source as it was ingested last; what could not be read is told."""
    found = []
    for source in kept:
        try:
            options = options_of(home, source)
            opened = open_source(source.location, options)
            summary = bring_in(source, opened, options)
        except (TandemError, OSError) as error:
            found.append(SourceOutcome(source.location, error=_one_line(error)))
        else:
            found.append(_outcome(source.location, summary, opened))
    return found


def foreseen(home: Home, kept: Iterable[KeptSource], look: Look) -> list[SourceOutcome]:
    """Say what ingesting each source would find; nothing is kept."""
    found = []
    for source in kept:
        try:
            options = options_of(home, source)
            opened = open_source(source.location, options)
            plans = look(opened, options)
        except (TandemError, OSError) as error:
            found.append(SourceOutcome(source.location, error=_one_line(error)))
        else:
            found.append(_plan(source.location, plans, opened))
    return found


def options_of(home: Home, source: KeptSource) -> SourceOptions:
    """Return the options with which a source was ingested last."""
    told = source.options
    return SourceOptions(
        format=told.format,
        base_url=told.base_url,
        metadata=told.metadata,
        max_file_bytes=home.settings.max_file_bytes,
        allow_private=told.allow_private,
        id_prefix=told.id_prefix,
    )


def unkept_roots(home: Home, roots: Iterable[str], kept: Iterable[KeptSource]) -> list[str]:
    """Return those roots of documents that could be ingested again, and that no kept source has."""
    known: set[str] = set()
    for source in kept:
        known |= _roots(home, source)
    return sorted(root for root in set(roots) - known if root.startswith(("/", "http://", "https://", "pydoc:")))


def _roots(home: Home, source: KeptSource) -> set[str]:
    try:
        return {opened.root for opened in open_source(source.location, options_of(home, source))}
    except UsageError:  # a path that is gone: its documents are of it, or of the folder that it lay in
        path = Path(source.location)
        return {str(path), str(path.parent)}


def _outcome(location: str, summary: Summary, opened: Sequence[Source]) -> SourceOutcome:
    failed = _failed(summary.problems)
    return SourceOutcome(
        location,
        error=_broken(summary.problems, opened),
        new=summary.new,
        changed=summary.changed,
        unchanged=summary.unchanged,
        gone=summary.gone,
        documents=summary.documents,
        deleted=summary.deleted,
        failed=len(failed),
        failures=failed[:SHOWN_FAILURES],
        seconds=summary.seconds,
    )


def _plan(location: str, plans: Plans, opened: Sequence[Source]) -> SourceOutcome:
    failed = _failed(plans.problems)
    return SourceOutcome(
        location,
        error=_broken(plans.problems, opened),
        new=plans.new,
        changed=plans.changed,
        unchanged=plans.unchanged,
        gone=len(plans.gone),
        failed=len(failed),
        failures=failed[:SHOWN_FAILURES],
    )


def _failed(problems: Iterable[Problem]) -> list[str]:
    return [f"{problem.key}: {problem.reason}" for problem in problems if not problem.skipped]


def _broken(problems: Iterable[Problem], opened: Iterable[Source]) -> str:
    """Say why nothing could be had of a source at all; "" where something was."""
    reasons = {problem.key: problem.reason for problem in problems if not problem.skipped}
    roots = {source.root for source in opened}
    return "; ".join(reasons[root] for root in sorted(roots)) if roots <= reasons.keys() else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
