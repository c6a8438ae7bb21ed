"""/v1/judgments: judgment sets, brought, collected for, judged, taken out again"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from retrieval.catalog import Collection
from retrieval.catalog.judgments import JudgedQuery, JudgmentSet
from retrieval.errors import UsageError
from service import judging
from service.api.described import problems
from service.api.judgment_schemas import (
    DocumentToJudge,
    ExportBody,
    GradedBody,
    GradeRequest,
    ImportedBody,
    ImportRequest,
    JudgmentSetBody,
    JudgmentSetsBody,
    JudgmentsLink,
    LeftBody,
    NextBody,
    NextLink,
    PooledBody,
    PoolRequest,
    QueryBody,
)
from service.auth import Reader, Writer
from service.serving import Serving
from service.side_by_side import read_arm
from trainer.brought import Places, checked_source, first_twice, known_documents, with_grades
from trainer.judging_by_query import next_waiting, progress_of
from trainer.query_records import query_of

router = APIRouter(prefix="/v1/judgments", tags=["judgments"])
PROBLEMS = problems(404, 422, 503)
CHANGES = problems(400, 404, 413, 422, 503)
PLACES = Places("queries", "judgments")
Name = Annotated[str, Path(max_length=63, description="The judgment set.", examples=["readers"])]


@router.get("", response_model=JudgmentSetsBody, responses=PROBLEMS, summary="List judgment sets")
def list_sets(request: Request, caller: Reader, asked: Annotated[JudgmentsLink, Query()]) -> JudgmentSetsBody:
    """List a collection's judgment sets: their queries by source, what is judged, and what waits for a judge."""
    caller.check(asked.collection)
    catalog = _serving(request).home.catalog
    known = catalog.judgments.list(catalog.collections.get(asked.collection))
    return JudgmentSetsBody(judgments=[set_body(one) for one in known])


@router.post("", response_model=ImportedBody, responses=CHANGES, summary="Bring judged queries")
def bring(request: Request, caller: Writer, body: ImportRequest) -> ImportedBody:
    """Bring queries with their judgments, or queries to be judged; a query that is known keeps its other grades.

    The same is refused as by `tandem judgments import`: a known query id with another text, judgments of which no
    document is in the collection, a mined query without masks.
    """
    caller.check(body.collection)
    catalog = _serving(request).home.catalog
    collection = catalog.collections.get(body.collection)
    queries = [_query(query) for query in body.queries]
    if twice := first_twice(query.id for query in queries):
        raise UsageError(f"The query id {twice!r} comes twice; give each query its own.")
    brought, unasked = with_grades(queries, body.judgments, source=checked_source(body.source), places=PLACES)
    _, unknown = known_documents(catalog, collection, brought)
    catalog.judgments.put(collection, body.name, brought)
    kept = next(one for one in catalog.judgments.list(collection) if one.name == body.name)
    return ImportedBody(judgments=set_body(kept), without_text=unasked, unknown_documents=unknown)


@router.get("/{name}/export", response_model=ExportBody, responses=PROBLEMS, summary="Take a judgment set out")
def export(request: Request, caller: Reader, name: Name, asked: Annotated[JudgmentsLink, Query()]) -> ExportBody:
    """Take a judgment set out whole: its queries, and its judgments as `{query: {document: grade}}`."""
    collection = _collection(request, caller, asked.collection)
    judged = _serving(request).home.catalog.judgments.get(collection, name)
    graded = {query.id: {d: grade for d, grade in query.grades.items() if grade is not None} for query in judged}
    return ExportBody(
        name=name,
        queries=[_body(query) for query in judged],
        judgments={query: grades for query, grades in graded.items() if grades},
    )


@router.post("/{name}/pool", response_model=PooledBody, responses=CHANGES, summary="Collect documents to judge")
def pool(request: Request, caller: Writer, name: Name, body: PoolRequest) -> PooledBody:
    """Collect what every arm finds first, so that no arm is punished for holes in the judgments.

    Queries that have a judgment are left out unless `every_query` asks for them. The index that is served is searched;
    `tandem judgments pool` has `reference-bm25` beside it.
    """
    collection = _collection(request, caller, body.collection)
    own = judging.usual_arms(collection)
    arms = own if body.arms is None else [read_arm(written, collection) for written in body.arms]
    wanted = judging.Pooling(arms, body.depth, body.limit, body.after, body.every_query)
    found = judging.pool(_serving(request), collection, name, wanted)
    return PooledBody(documents=found.documents, queries=found.queries, next=found.after or None)


@router.get("/{name}/next", response_model=NextBody, responses=PROBLEMS, summary="The next query to judge")
def next_query(request: Request, caller: Reader, name: Name, asked: Annotated[NextLink, Query()]) -> NextBody:
    """Give the next query with documents that wait, in the set's order, with all of its documents.

    Skip a query by asking for the one `after` it; beyond the last one it begins again at the first.
    """
    collection = _collection(request, caller, asked.collection)
    catalog = _serving(request).home.catalog
    judged = catalog.judgments.get(collection, name)
    found, far = next_waiting(judged, after=asked.after), progress_of(judged)
    shown = judging.passages(catalog, collection, name, found) if found else []
    return NextBody(
        query=_body(found) if found else None,
        documents=[_document(passage) for passage in shown],
        left=LeftBody(queries=far.waiting_queries, documents=far.waiting, unpooled=far.unpooled),
    )


@router.put("/{name}/grades", response_model=GradedBody, responses=CHANGES, summary="Grade a document")
def grade(request: Request, caller: Writer, name: Name, body: GradeRequest) -> GradedBody:
    """Give a document a grade for a query. To undo it, put what the answer says was there `before`."""
    collection = _collection(request, caller, body.collection)
    catalog = _serving(request).home.catalog
    query = judging.query_of(catalog.judgments.get(collection, name), name, body.query)
    before = judging.grade(catalog, collection, name, query, body.document, body.grade)
    return GradedBody(query=body.query, document=body.document, grade=body.grade, before=before)


def set_body(one: JudgmentSet) -> JudgmentSetBody:
    """Return what is told of a set."""
    return JudgmentSetBody(
        name=one.name,
        queries=one.queries,
        sources=dict(one.sources),
        judged=one.judged,
        to_judge=one.pooled,
        created_at=one.created_at,
    )


def _query(body: QueryBody) -> JudgedQuery:
    told = {"source": body.source, "cluster": body.cluster, "masks": body.masks}
    return query_of("queries", body.id, body.text, told)


def _body(query: JudgedQuery) -> QueryBody:
    masks = {document: list(strings) for document, strings in query.masks.items()}
    return QueryBody.model_construct(
        id=query.id, text=query.text, source=query.source, cluster=query.cluster, masks=masks
    )


def _document(passage: judging.Passage) -> DocumentToJudge:
    return DocumentToJudge(
        id=passage.document,
        title=passage.title,
        url=passage.url,
        headings=list(passage.headings),
        highlights=passage.highlights,
        grade=passage.grade,
        is_gone=passage.is_gone,
    )


def _collection(request: Request, caller: Reader, name: str) -> Collection:
    caller.check(name)
    return _serving(request).home.catalog.collections.get(name)


def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving
