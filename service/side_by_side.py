"""Two arms' answers to one query, side by side, and the votes on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indexer.model_uses import versions_in
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.ballots import Ballot
from retrieval.catalog.votes import Preferred, Vote
from retrieval.errors import ModelError, NotFound, UsageError
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.types import Mode
from service.serving import Serving
from trainer.arms import Arm, parse_arms
from trainer.voting import JUDGMENTS, judged_by, query_id

SAID = {
    "left": "Left is better",
    "right": "Right is better",
    "equal": "Equally good",
    "bad": "Both are bad",
}
"""What a voter can say, as forms send it, and what it is called."""


@dataclass(frozen=True, slots=True)
class Side:
    """What an arm answers, or why it does not; `lacks` is the model whose vectors the index does not hold."""

    arm: str
    result: SearchResult | None = None
    problem: str = ""
    lacks: str = ""

    @property
    def documents(self) -> tuple[str, ...]:
        """The ids of the documents found, in order."""
        return tuple(hit.document_id for hit in self.result.hits) if self.result else ()


def arms_of(catalog: Catalog, collection: Collection, *, only_its_own: bool = False) -> list[str]:
    """Return the arms that can be put side by side: by keyword, and by each model, the collection's own first.

    With `only_its_own`, models that the collection has nothing to do with are left out: a model that was trained is
    named for its collection.
    """
    own = collection.config.model
    versions = [record.version for record in catalog.models.list()]
    if only_its_own:
        known = versions_in(catalog, collection)
        versions = [version for version in versions if version in known]
    ordered = sorted(versions, key=lambda version: version != own)
    return [Mode.KEYWORD.value, *(f"{mode}@{v}" for v in ordered for mode in (Mode.HYBRID, Mode.EMBEDDING))]


def read_arm(written: str, collection: Collection) -> Arm:
    """Read one arm that searches; raises UsageError for another, ModelError where it means a model there is not."""
    arms = parse_arms(written, collection.config.model)
    if len(arms) != 1 or arms[0].mode is None:
        raise UsageError(f"{written!r} is not one way to search; give keyword, embedding@VERSION or hybrid@VERSION.")
    return arms[0]


def side(serving: Serving, collection: Collection, arm: Arm, text: str, k: int) -> Side:
    """Search with an arm; what goes wrong is told in the side's place."""
    assert arm.mode is not None  # noqa: S101  # read_arm saw to it
    try:
        return Side(str(arm), serving.search(collection.name, Query(text, k, arm.mode, model=arm.version)))
    except ModelError as error:
        is_there = arm.version in {record.version for record in serving.home.catalog.models.list()}
        other = is_there and arm.version != collection.config.model
        return Side(str(arm), problem=str(error), lacks=arm.version if other else "")
    except NotFound as error:
        return Side(str(arm), problem=str(error))


def places(documents: Sequence[str]) -> Mapping[str, int]:
    """Return the place of each document, from 1."""
    return {document: place for place, document in enumerate(documents, 1)}


def cast(catalog: Catalog, ballot: Ballot, said: str, *, by: str) -> Vote:
    """Keep a vote, and let it judge. Raises UsageError for what cannot be said, VotedAlready, and NotFound."""
    shown, collection = ballot.shown, catalog.collections.get(ballot.collection)
    vote = catalog.votes.put(
        collection,
        Vote(
            ballot=ballot.number,
            query=shown.query,
            a=shown.a,
            b=shown.b,
            preferred=_preferred(ballot, said),
            on_left=ballot.on_left,
            a_shown=shown.a_shown,
            b_shown=shown.b_shown,
            made_by=by,
        ),
    )
    _judge(catalog, collection, vote.query)
    return vote


def _preferred(ballot: Ballot, said: str) -> Preferred:
    if said not in SAID:
        raise UsageError(f"A vote is one of {', '.join(SAID)}, not {said[:20]!r}.")
    if said not in ("left", "right"):
        return Preferred(said)
    if ballot.shown.is_same:
        raise UsageError("Both sides show the same documents in the same order: neither can be better.")
    return Preferred(ballot.on_left if said == "left" else ballot.on_right)


def _judge(catalog: Catalog, collection: Collection, query: str) -> None:
    try:
        judged = catalog.judgments.get(collection, JUDGMENTS)
    except NotFound:
        judged = []
    known = next((one for one in judged if one.id == query_id(query)), None)
    added = judged_by(catalog.votes.about(collection, query), known)
    if added is not None:
        catalog.judgments.put(collection, JUDGMENTS, [added])
