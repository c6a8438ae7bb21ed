"""/compare: two ways of searching side by side, with names or without them, and votes on which is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.ballots import Ballot, Shown
from retrieval.catalog.votes import Vote
from retrieval.errors import TandemError, UsageError
from retrieval.query import MAX_QUERY_CHARS
from retrieval.query import Query as Asked
from service.auth import Caller, Reader, Writer
from service.jobs.announcing import JobQueue
from service.jobs.kinds import work_of
from service.problems import status_of
from service.side_by_side import SAID, Side, arms_of, cast, places, read_arm, side
from service.web.forms import Form
from service.web.pages import catalog_of, chosen_of, document_link, may_write, serving_of, visible
from service.web.rendering import HEADERS, page
from service.web.report_views import prose
from trainer.voting import reading, tally

router = APIRouter(include_in_schema=False)
DEPTHS = (3, 5, 10)
ArmName = Annotated[str, Query(max_length=160)]


@dataclass(frozen=True, slots=True)
class Asking:
    """What is compared: a query, two arms, how many documents of each, and whether their names are hidden."""

    collection: str
    q: str
    a: str
    b: str
    k: int = 5
    blind: bool = False

    def link(self, **more: object) -> str:
        """Return a link to this comparison, with more said."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        given = {**fields, "blind": "yes" if self.blind else "", **more}
        return f"/compare?{urlencode({name: value for name, value in given.items() if value})}"


@dataclass(frozen=True, slots=True)
class Column:
    """A side as it is shown; `name` is the arm, or left and right while it is hidden.

    `there` is where the other side has its documents, None while that has no answer.
    """

    name: str
    side: Side
    there: Mapping[str, int] | None

    def mark(self, document: str, place: int) -> str:
        """Say where the other side has a document, if not in the same place."""
        if self.there is None:
            return ""
        if document not in self.there:
            return "only here"
        return "" if self.there[document] == place else f"number {self.there[document]} there"


@router.get("/compare")
def compare(
    request: Request,
    caller: Reader,
    q: Annotated[str, Query(max_length=MAX_QUERY_CHARS)] = "",
    collection: Annotated[str, Query(max_length=63)] = "",
    a: ArmName = "",
    b: ArmName = "",
    k: Annotated[int, Query(ge=1, le=10)] = 5,
    blind: Annotated[str, Query(max_length=3)] = "",
    voted: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> Response:
    """Show what two arms find for a query."""
    catalog = catalog_of(request)
    names = visible(catalog, caller)
    shown: dict[str, Any] = {"collections": names, "may_write": may_write(caller), "said": SAID, "depths": DEPTHS}
    shown["prose"] = prose
    if not names:
        return page(request, "compare.html", **shown)
    chosen, status = catalog.collections.get(chosen_of(names, caller, collection)), HTTPStatus.OK
    asking = Asking(chosen.name, q.strip(), a, b, k, blind=bool(blind))
    shown |= {"problem": "", "columns": [], "vote": None, "ballot": "", "tally": None}
    shown["arms"] = arms_of(catalog, chosen, only_its_own=caller.only is not None)
    try:
        asking = _named(asking, chosen)
        vote = catalog.votes.get(chosen, voted) if voted else None
        shown |= _answer(request, caller, asking, vote)
    except TandemError as error:
        shown["problem"], status = caller.told(error), status_of(request, error)
    shown |= {"asking": asking, "document_link": partial(document_link, chosen.name)}
    return page(request, "compare.html", status=status, **shown)


def _named(asking: Asking, collection: Collection) -> Asking:
    """Fill in the arms that are not named, and write those that are in full."""
    a = str(read_arm(asking.a or "keyword", collection))
    b = str(read_arm(asking.b or ("hybrid" if collection.config.model else "keyword"), collection))
    return Asking(asking.collection, asking.q, a, b, asking.k, blind=asking.blind)


def _answer(request: Request, caller: Caller, asking: Asking, vote: Vote | None) -> dict[str, Any]:
    catalog, told = catalog_of(request), {"tally": None}
    collection = catalog.collections.get(asking.collection)
    if not asking.q:
        return told | _counted(catalog, collection, asking)
    if asking.a == asking.b:
        raise UsageError(f"Both sides are {asking.a}; choose two different ones.")
    text = Asked(asking.q).checked().text
    serving = serving_of(request)
    sides = [side(serving, collection, read_arm(arm, collection), text, asking.k) for arm in (asking.a, asking.b)]
    if asking.blind and vote is None and all(one.result for one in sides):
        shown = Shown(text, sides[0].arm, sides[1].arm, sides[0].documents, sides[1].documents)
        ballot = Ballot.draw(collection, shown)
        if may_write(caller):
            catalog.ballots.put(collection, ballot)
        return told | _hidden(ballot, sides)
    if vote is not None and vote.on_left == "b":
        sides.reverse()
    return (
        told
        | {"columns": _columns(sides, [one.arm for one in sides]), "vote": vote}
        | (_counted(catalog, collection, asking))
    )


def _hidden(ballot: Ballot, sides: Sequence[Side]) -> dict[str, Any]:
    """Put the sides where chance has them, without their names; all that the page has of its ballot is the number."""
    ordered = sides if ballot.on_left == "a" else sides[::-1]
    return {"columns": _columns(ordered, ["Left", "Right"]), "ballot": ballot.number, "is_same": ballot.shown.is_same}


def _columns(sides: Sequence[Side], names: Sequence[str]) -> list[Column]:
    there = [places(one.documents) if one.result else None for one in sides]
    return [Column(*column) for column in zip(names, sides, reversed(there), strict=True)]


def _counted(catalog: Catalog, collection: Collection, asking: Asking) -> dict[str, Any]:
    found = tally(catalog.votes.list(collection, arms=(asking.a, asking.b)), asking.a, asking.b)
    return {"tally": found, "reading": reading(found)} if found.votes else {"tally": None}


@router.post("/compare/vote")
def vote(request: Request, caller: Writer, form: Form) -> Response:
    """Keep a vote on what a ballot shows, and name the sides."""
    catalog = catalog_of(request)
    ballot = catalog.ballots.get(form.get("ballot", ""))
    shown = ballot.shown
    caller.check(ballot.collection)
    kept = cast(catalog, ballot, form.get("said", ""), by=caller.name)
    k = form.get("k", "5")
    depth = int(k) if k in map(str, DEPTHS) else 5
    asking = Asking(ballot.collection, shown.query, shown.a, shown.b, depth, blind=True)
    return RedirectResponse(asking.link(voted=kept.id), status_code=303, headers=HEADERS)


@router.post("/compare/embed")
def embed(request: Request, caller: Writer, form: Form) -> Response:
    """Ask for the job that brings a model's vectors into the index."""
    collection = form.get("collection", "default")
    caller.check(collection)
    queue: JobQueue = request.app.state.queue
    work = work_of("embed", collection, {"version": form.get("version", ""), "searchable": True})
    job = queue.submit(work, made_by=caller.name)
    return RedirectResponse(f"/jobs/{job.id}", status_code=303, headers=HEADERS)
