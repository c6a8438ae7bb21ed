"""tandem ingest"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Annotated

import typer

from indexer.apply import IndexOwner, open_index
from indexer.ingest import Ingest, Summary
from indexer.pace import give_way
from indexer.pipeline import Pipeline, pipeline_settings
from indexer.plan import Plans, make_plans
from indexer.progress import described, duration
from indexer.reindex import check_analyzer
from indexer.sources import Problem, Source, SourceOptions, lasting, open_source
from retrieval.catalog import Collection, CollectionConfig
from retrieval.catalog.collections import check_name
from retrieval.catalog.sources import KeptOptions
from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, note, opened, print_json, print_line
from retrieval.encoder import plain_tokenizer_json
from retrieval.errors import IndexBusy, UsageError
from retrieval.home import Home
from retrieval.status_line import StatusLine
from retrieval.types import JsonValue

logger = logging.getLogger(__name__)

WAIT_FOR_INDEX_S = 60.0
SHOWN_PROBLEMS = 20


def ingest(
    context: typer.Context,
    sources: Annotated[list[str], typer.Argument(metavar="PATH|URL|pydoc:PKG ...", help="What to ingest.")],
    format: Annotated[str, typer.Option(help="How to parse, where the name does not tell.")] = "auto",  # noqa: A002  # the option's name is --format
    prune: Annotated[bool, typer.Option(help="Delete documents of these sources that are gone.")] = False,
    meta: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Metadata for every document.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")] = False,
    base_url: Annotated[str | None, typer.Option(help="The URL the source's root is published at.")] = None,
    id_prefix: Annotated[str, typer.Option(help="Put this before every document id.")] = "",
    allow_private: Annotated[bool, typer.Option(help="Allow URLs on private and loopback addresses.")] = False,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Bring writing into a collection: folders, files, sites, feeds, or documentation of Python packages.

    Run it again at any time: what is unchanged is not parsed, and no text is ever embedded twice.
    """
    with opened(context, home) as opened_home:
        options = SourceOptions(
            format=format,
            base_url=base_url,
            metadata=_metadata(meta or []),
            max_file_bytes=opened_home.settings.max_file_bytes,
            allow_private=allow_private,
            id_prefix=id_prefix,
        )
        found = {location: open_source(location, options) for location in sources}
        if dry_run:
            plans = planned(opened_home, collection, _flat(found), options)
            _print_plan(plans, as_json)
            problems: Sequence[Problem] = plans.problems
        else:
            summary = bring_in(opened_home, collection, found, options, prune=prune)
            _print_summary(summary, as_json)
            problems = summary.problems
        raise typer.Exit(0 if all(problem.skipped for problem in problems) else 1)


def bring_in(
    home: Home, name: str, found: Mapping[str, Sequence[Source]], options: SourceOptions, *, prune: bool
) -> Summary:
    """Ingest sources into a collection, made if it is not there, and tell on stderr how far it is.

    `found` has the sources by what a person called them, which is kept, to be ingested again; not so where a source
    could not even be listed.
    """
    target, encoder = home.prepared(name)
    pipeline = Pipeline.of(home.catalog, target, encoder, encoder_of=home.encoder_of)
    check_analyzer(home.catalog, target)
    with ExitStack() as stack:
        index = _Index(home, target, stack)
        run = _run(Ingest(pipeline, _flat(found), options, on_commit=index.apply), prune=prune)
        index.finish()
    kept = KeptOptions(
        options.format, prune, options.base_url, options.id_prefix, options.metadata, options.allow_private
    )
    listed = {plan.source.root for plan in run.plans}
    whole = [location for location, opened in found.items() if all(source.root in listed for source in opened)]
    home.catalog.sources.keep(target, map(lasting, whole), kept)
    return run.summary


def _flat(found: Mapping[str, Sequence[Source]]) -> list[Source]:
    return [source for sources in found.values() for source in sources]


def planned(home: Home, name: str, sources: Sequence[Source], options: SourceOptions) -> Plans:
    """Plan without making the collection or loading its model; of a collection that is not there, all is new.

    Raises UsageError for a name that no collection can have.
    """
    check_name(name)
    known = {collection.name: collection for collection in home.catalog.collections.list()}
    target = known.get(name, Collection(0, name, CollectionConfig(), ""))
    version = target.config.model
    folder = home.models.folder(version) if version else None
    tokenizer_json = plain_tokenizer_json(folder) if folder else ""
    settings = pipeline_settings(target.config, tokenizer_json, folder.manifest.recipe.max_tokens if folder else 0)
    return make_plans(home.catalog, target, sources, options=options, settings=settings)


def _run(run: Ingest, *, prune: bool) -> Ingest:
    line = StatusLine()
    try:
        run.run(
            lambda progress: line.show(described(progress), share=progress.share, left_s=progress.left_s), prune=prune
        )
    except KeyboardInterrupt:
        line.close()
        note("Interrupted. What was committed is kept; the same command continues where this one stopped.")
        raise typer.Exit(130) from None
    finally:
        line.close()
    return run


class _Index:
    """Applies changes as they are committed, if no other process owns the index; else leaves them to it."""

    def __init__(self, home: Home, collection: Collection, stack: ExitStack) -> None:
        self._home = home
        self._collection = collection
        self._stack = stack
        self._owner: IndexOwner | None = None
        try:
            self._owner = self._open()
        except IndexBusy as error:
            note(f"{error.held} It makes these documents searchable as they come in.")
            give_way()

    def _open(self) -> IndexOwner:
        return self._stack.enter_context(open_index(self._home.settings, self._home.catalog, self._collection))

    def apply(self) -> None:
        if self._owner:
            self._owner.apply_pending(more_to_come=True)

    def finish(self) -> None:
        """Return when the changes are searchable, or say who will make them so."""
        if self._owner is None and not self._wait():
            return
        if self._owner:
            self._owner.apply_pending()
            if self._owner.compact_if_due():
                note("The index was compacted.")

    def _wait(self) -> bool:
        """Wait until the owner has applied everything, or lets go of the index; True when it is ours now."""
        changes, deadline = self._home.catalog.changes, time.monotonic() + WAIT_FOR_INDEX_S
        while (pending := changes.count_pending(self._collection)) and time.monotonic() < deadline:
            try:
                self._owner = self._open()
            except IndexBusy:
                time.sleep(0.2)
            else:
                return True
        if pending:
            note(f"{pending} changes wait in the catalog for the index: its owner, or the next command, applies them.")
        return False


def _metadata(pairs: Sequence[str]) -> dict[str, JsonValue]:
    metadata: dict[str, JsonValue] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise UsageError(f"--meta got {pair!r}; write it as name=value.")
        metadata[name.strip()] = value
    return metadata


def _print_plan(plans: Plans, as_json: bool) -> None:
    todo = [planned for plan in plans.plans for planned in plan.todo]
    if as_json:
        print_json(
            {
                "new": [planned.item.key for planned in todo if planned.is_new],
                "changed": [planned.item.key for planned in todo if not planned.is_new],
                "unchanged": plans.unchanged,
                "gone": list(plans.gone),
                "problems": [asdict(problem) for problem in plans.problems],
            }
        )
        return
    for planned in todo:
        print_line(f"{'new' if planned.is_new else 'changed':<8} {planned.item.key}")
    for key in plans.gone:
        print_line(f"{'gone':<8} {key}")
    print_line(f"{plans.new} new, {plans.changed} changed, {plans.unchanged} unchanged, {len(plans.gone)} gone")
    _print_problems(plans.problems, print_line)


def _print_summary(summary: Summary, as_json: bool) -> None:
    if as_json:
        body = asdict(summary)
        body["problems"] = [asdict(problem) for problem in summary.problems]
        print_json(body)
        return
    print_line(
        f"{summary.documents} documents in ({summary.new} new items, {summary.changed} changed, "
        f"{summary.unchanged} unchanged), {summary.deleted} documents deleted."
    )
    pace = summary.chunks / summary.seconds if summary.seconds else 0
    print_line(
        f"{summary.chunks} chunks, {summary.embedded} embedded, in {duration(summary.seconds)} ({pace:.0f} chunks/s)."
    )
    if summary.gone and not summary.deleted:
        print_line(f"{summary.gone} items are gone from the source; --prune deletes their documents.")
    _print_problems(summary.problems, print_line)


def _print_problems(told: Sequence[Problem], show: Callable[[str], None]) -> None:
    for title, skipped in (("Skipped", True), ("Failed", False)):
        problems = [problem for problem in told if problem.skipped == skipped]
        if not problems:
            continue
        show(f"{title} ({len(problems)}):")
        for problem in problems[:SHOWN_PROBLEMS]:
            show(f"  {problem.key}: {problem.reason}")
        if len(problems) > SHOWN_PROBLEMS:
            show(f"  ... and {len(problems) - SHOWN_PROBLEMS} more; --json lists them all.")
