"""What a night did, or why it did nothing: as JSON, and for people."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from indexer.progress import duration
from retrieval.types import JsonValue
from trainer.nightly.outcome import News, Night, Retraining, SourceOutcome, State

TOLD = ("version", "base", "method", "verdict", "lambda", "may_be_promoted", "tried", "arms", "canary", "seconds")
"""What is repeated of a training's report."""


def night_json(night: Night) -> dict[str, JsonValue]:
    """Return the report as `--json` gives it; docs/jobs.md describes it."""
    return {
        "collection": night.collection,
        "dry_run": night.is_dry_run,
        "summary": {"headline": headline(night), "lines": list(lines(night))},
        "sources": [{**asdict(source), "error": source.error or None} for source in night.sources],
        "unkept": list(night.unkept),
        "news": {**asdict(night.news), "since": night.news.since or None, "is_enough": night.news.is_enough},
        "training": _training_json(night.training),
        "promoted": night.training.promoted,
        "report": night.training.found.get("report"),
    }


def _training_json(training: Retraining) -> dict[str, JsonValue]:
    found = training.found
    comparison = {name: value for name, value in (found.get("comparison") or {}).items() if name != "changed"}
    return {
        "state": training.state.value,
        "why": training.why or None,
        **{name: found[name] for name in TOLD if name in found},
        **({"comparison": comparison or None} if found else {}),
        "refused": training.refused or None,
    }


def headline(night: Night) -> str:
    """Say in a line what was done."""
    if night.is_dry_run:
        return _would(night)
    parts = [*_ingested(night.sources), *_trained(night)]
    return "; ".join(parts) if parts else "Nothing is new, so nothing was done"


def lines(night: Night) -> Iterator[str]:
    """Tell people what was done, and why not more."""
    if not night.sources:
        yield "No source is kept to ingest again; `tandem ingest` keeps what it ingests."
    for source in night.sources:
        yield from _of_source(source, is_dry_run=night.is_dry_run)
    for root in night.unkept:
        yield f"{root}: left alone, as no source of it is kept; `tandem ingest` keeps what it ingests."
    yield _of_news(night.news)
    yield from _of_training(night.training)


def _would(night: Night) -> str:
    new, changed = (sum(getattr(source, name) for source in night.sources) for name in ("new", "changed"))
    training = "a training" if night.training.state is State.PLANNED else "no training"
    return f"Nothing was done; {new} new and {changed} changed items would be ingested, and {training} would follow"


def _ingested(sources: Sequence[SourceOutcome]) -> Iterator[str]:
    if broken := sum(bool(source.error) for source in sources):
        yield f"{broken} of {_count(len(sources), 'source')} failed"
    documents, deleted = (sum(getattr(source, name) for source in sources) for name in ("documents", "deleted"))
    if documents or deleted:
        yield f"{_count(documents, 'document')} came in, {deleted} went"


def _trained(night: Night) -> Iterator[str]:
    training, news = night.training, night.news
    match training.state:
        case State.TRAINED:
            yield f"trained: {training.found['summary']['headline']}"
            yield f"{training.found['version']} is searched with now" if training.promoted else "nothing was promoted"
        case State.FAILED:
            yield "the training failed"
        case State.NO_JUDGMENTS:
            yield "nothing was trained, as nobody could judge it"
        case State.NOT_NEEDED if news.total:
            yield f"nothing was trained, as {news.total} of the {news.needed} that it takes are new"


def _of_source(source: SourceOutcome, *, is_dry_run: bool) -> Iterator[str]:
    if source.error:
        yield f"{source.location}: failed: {source.error}"
        return
    items = f"{source.new} new, {source.changed} changed, {source.unchanged} unchanged, {source.gone} gone"
    done = f"; {_count(source.documents, 'document')} in, {source.deleted} deleted, {duration(source.seconds)}"
    yield f"{source.location}: {items}{'' if is_dry_run else done}"
    yield from (f"  failed: {failure}" for failure in source.failures)
    if more := source.failed - len(source.failures):
        yield f"  and {more} more"


def _of_news(news: News) -> str:
    since = f"since the last training ({news.since})" if news.since else "and nothing was trained yet"
    expected = f", {_count(news.expected, 'item')} to ingest" if news.expected else ""
    found = f"{_count(news.documents, 'document')}, {_count(news.pairs, 'pair')}{expected}"
    return f"New or changed: {found}, {since}. A training takes {news.needed} (--min-new)."


def _of_training(training: Retraining) -> Iterator[str]:
    if training.why:
        yield training.why
    if training.state is not State.TRAINED:
        return
    found = training.found
    yield f"Trained: {found['summary']['headline']} (verdict: {found['verdict']})."
    if training.promoted:
        yield f"Promoted {found['version']}; `tandem models rollback` goes back at once."
    elif training.refused:
        yield f"Not promoted: {training.refused}"
    else:
        yield f"Nothing was promoted; {found['base']} is searched with as before."
    yield f"Report: {found['report']}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
