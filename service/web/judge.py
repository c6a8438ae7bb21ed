"""/judge: the queries of a judgment set, one at a time, with the documents that wait for a grade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.judgments import DEFAULT_JUDGMENTS, JudgedQuery, JudgmentSet
from retrieval.errors import UsageError
from retrieval.query import MAX_QUERY_CHARS
from service import judging
from service.auth import Reader, Writer
from service.web.forms import Form
from service.web.pages import catalog_of, chosen_of, document_link, may_write, serving_of, visible
from service.web.rendering import HEADERS, page
from trainer.judging import GRADES
from trainer.judging_by_query import next_waiting, progress_of, waiting_in

router = APIRouter(include_in_schema=False)
Id = Annotated[str, Query(max_length=2_000)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a judge is: in which set of which collection."""

    collection: str
    name: str

    def link(self, **more: str) -> str:
        """Return a link to this place, with more said."""
        given = {"collection": self.collection, "set": self.name, **more}
        return f"/judge?{urlencode({name: value for name, value in given.items() if value})}"

    @classmethod
    def of(cls, form: Mapping[str, str]) -> "Place":
        """Read it from a form."""
        return cls(form.get("collection", "default"), form.get("set", "") or DEFAULT_JUDGMENTS)


@router.get("/judge")
def judge(
    request: Request,
    caller: Reader,
    collection: Annotated[str, Query(max_length=63)] = "",
    name: Annotated[str, Query(alias="set", max_length=63)] = "",
    query: Id = "",
    after: Id = "",
    done: Id = "",
    before: Annotated[str, Query(max_length=4)] = "",
    pooled: Annotated[int, Query(ge=-1, le=100_000)] = -1,
    on: Id = "",
) -> Response:
    """Show a query with its documents: the one named, or the next that waits behind `after`."""
    catalog = catalog_of(request)
    names = visible(catalog, caller)
    if not names:
        return page(request, "judge.html", collections=[], sets=[], place=None, may_write=may_write(caller))
    chosen = catalog.collections.get(chosen_of(names, caller, collection))
    sets = catalog.judgments.list(chosen)
    place = Place(chosen.name, name or _usual(sets))
    judged = catalog.judgments.get(chosen, place.name) if name or sets else []
    found = judging.query_of(judged, place.name, query) if query else next_waiting(judged, after=after)
    return page(
        request,
        "judge_query.html" if request.headers.get("x-part") == "judge" else "judge.html",
        collections=names,
        sets=sets,
        place=place,
        may_write=may_write(caller),
        far=progress_of(judged),
        undo={"document": done, "before": before} if done and found else None,
        pooled=pooled,
        on=on,
        **_shown(catalog, chosen, place, found),
    )


def _usual(sets: Sequence[JudgmentSet]) -> str:
    """Return the set that somebody most likely wants to judge: the usual one, unless others wait and it does not."""
    known = {one.name: one for one in sets}
    if DEFAULT_JUDGMENTS in known and known[DEFAULT_JUDGMENTS].pooled:
        return DEFAULT_JUDGMENTS
    waiting = max(sets, key=lambda one: one.pooled, default=None)
    if waiting is None or (DEFAULT_JUDGMENTS in known and not waiting.pooled):
        return DEFAULT_JUDGMENTS
    return waiting.name


def _shown(catalog: Catalog, collection: Collection, place: Place, query: JudgedQuery | None) -> dict[str, Any]:
    passages = judging.passages(catalog, collection, place.name, query) if query else []
    return {
        "query": query,
        "passages": passages,
        "left": len(waiting_in(query)) if query else 0,
        "grades": sorted(GRADES.items()),
        "document_link": lambda document: document_link(collection.name, document),
    }


@router.post("/judge/grade")
def grade(request: Request, caller: Writer, form: Form) -> Response:
    """Keep a grade, or take it back, and show the same query again."""
    place = Place.of(form)
    caller.check(place.collection)
    catalog = catalog_of(request)
    collection = catalog.collections.get(place.collection)
    query = judging.query_of(catalog.judgments.get(collection, place.name), place.name, form.get("query", ""))
    document, given = form.get("document", ""), _grade(form.get("grade", ""))
    before = judging.grade(catalog, collection, place.name, query, document, given)
    undo = {} if form.get("undo") else {"done": document, "before": "" if before is None else str(before)}
    return _to(place.link(query=query.id, **undo) + "#waiting")


def _grade(written: str) -> int | None:
    if not written:
        return None
    if not written.isascii() or not written.isdigit() or len(written) > 4:
        raise UsageError(f"{written[:20]!r} is not a grade; give one of {', '.join(map(str, GRADES))}.")
    return int(written)


@router.post("/judge/queries")
def add_query(request: Request, caller: Writer, form: Form) -> Response:
    """Add a query, collect its documents, and show it."""
    place = Place.of(form)
    caller.check(place.collection)
    text = form.get("text", "")
    if len(text) > MAX_QUERY_CHARS:
        raise UsageError(f"The query has {len(text)} characters; use at most {MAX_QUERY_CHARS}.")
    collection = catalog_of(request).collections.get(place.collection)
    return _to(place.link(query=judging.add_query(serving_of(request), collection, place.name, text)))


@router.post("/judge/pool")
def pool(request: Request, caller: Writer, form: Form) -> Response:
    """Collect documents for some queries, and show the next that waits."""
    place = Place.of(form)
    caller.check(place.collection)
    serving, collection = serving_of(request), catalog_of(request).collections.get(place.collection)
    wanted = judging.Pooling(
        judging.usual_arms(collection), after=form.get("after", ""), every_query=bool(form.get("every"))
    )
    found = judging.pool(serving, collection, place.name, wanted)
    return _to(place.link(pooled=str(found.documents), on=found.after if wanted.every_query else ""))


def _to(path: str) -> Response:
    return RedirectResponse(path, status_code=303, headers=HEADERS)
