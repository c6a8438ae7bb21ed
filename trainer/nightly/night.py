"""A night from its sources to its report: ingest, count what is new, train, promote."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from retrieval.catalog import Collection
from retrieval.home import Home
from trainer.nightly.again import BringIn, Look, foreseen, ingested, unkept_roots
from trainer.nightly.outcome import News, Night, Retraining, SourceOutcome, State
from trainer.nightly.retraining import Begun, HowToRetrain, news_of, retrain
from trainer.training.plan import Plan
from trainer.training.telling import Telling


@dataclass(frozen=True, slots=True)
class Asked:
    """What a night is to do.

    It trains as `plan` says where at least `min_new` documents and pairs are new; `missing` says what nothing can be
    trained without. `job` is the job that it is done for, "" for none.
    """

    plan: Callable[[Collection], Plan]
    min_new: int
    missing: str = ""
    may_promote: bool = True
    job: str = ""


def carry_out(home: Home, name: str, asked: Asked, bring_in: BringIn, telling: Telling) -> Night:
    """Do a night's work on a collection. Raises TrainingInterrupted where it is stopped in a training."""
    begun = Begun.of(home.settings, name)
    sources = _known(begun, asked.job)
    if sources is None:
        sources = ingested(home, home.catalog.sources.list(home.catalog.collections.get(name)), bring_in)
    collection = home.catalog.collections.get(name)  # as it is after the ingest
    news = news_of(home.catalog, collection, needed=asked.min_new)
    training = _decided(news, asked, begun)
    if training.state is State.PLANNED:
        mark = {"job": asked.job, "sources": [asdict(source) for source in sources]}
        how = HowToRetrain(asked.plan, mark, asked.may_promote)
        training = retrain(home, collection, how, telling, goes_on=begun is not None)
    return _night(home, collection, sources, news, training)


def foresee(home: Home, name: str, asked: Asked, look: Look) -> Night:
    """Say what a night would do; nothing is kept."""
    collection = home.catalog.collections.get(name)
    sources = foreseen(home, home.catalog.sources.list(collection), look)
    expected = sum(source.new + source.changed for source in sources)
    news = news_of(home.catalog, collection, needed=asked.min_new, expected=expected)
    training = _decided(news, asked, Begun.of(home.settings, name))
    return _night(home, collection, sources, news, training, is_dry_run=True)


def _known(begun: Begun | None, job: str) -> list[SourceOutcome] | None:
    """Return what the same job has ingested before it was killed in its training; None where that is not known."""
    if begun is None or not job or begun.mark.get("job") != job:
        return None
    return [SourceOutcome(**record) for record in begun.mark["sources"]]


def _decided(news: News, asked: Asked, begun: Begun | None) -> Retraining:
    """Say whether to train, and why not."""
    if begun is not None:
        return Retraining(State.PLANNED, f"Training {begun.run.number} goes on, which a night began.")
    if asked.missing:
        return Retraining(State.NO_JUDGMENTS, asked.missing)
    return Retraining(State.PLANNED if news.is_enough else State.NOT_NEEDED)


def _night(
    home: Home,
    collection: Collection,
    sources: Sequence[SourceOutcome],
    news: News,
    training: Retraining,
    *,
    is_dry_run: bool = False,
) -> Night:
    roots = {known.root for known in home.catalog.documents.keys(collection).values()}
    unkept = unkept_roots(home, roots, home.catalog.sources.list(collection))
    return Night(collection.name, is_dry_run, sources, unkept, news, training)
