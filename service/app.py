"""The HTTP application. One process owns an embedded index: the one that runs this."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio
from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.api import (
    collections,
    context,
    documents,
    evaluations,
    facets,
    feedback,
    files,
    jobs,
    judgments,
    models,
    operations,
    reference,
    schedules,
    search,
    suggest,
    votes,
)
from service.api.conditional import add_conditions
from service.api.described import problems
from service.api.idempotent import add_idempotency
from service.api.known import KnownOnly
from service.api.writing import WRITERS
from service.auth import Access
from service.ending import AnsweredToTheEnd
from service.heads import Heads
from service.jobs.announcing import JobQueue
from service.limits import BodyLimit, SameOrigin, TrustedHosts
from service.mcp import McpOverHttp
from service.monitoring import Metrics
from service.openapi import describe
from service.problems import add_handlers
from service.searching import Counted, Searching
from service.serving import Serving
from service.suggesting import Suggesting
from service.watching import Watched
from service.web import actions, compare, judge, pages, reports, uploads
from service.web import search as search_page

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
INTERFACE = (
    search,
    facets,
    suggest,
    context,
    feedback,
    documents,
    files,
    collections,
    models,
    jobs,
    schedules,
    judgments,
    evaluations,
    votes,
)
"""What is under /v1, in the order of its description."""


def create_app(
    serving: Serving, hosts: Collection[str] | None = LOOPBACK_HOSTS, *, access: Access | None = None
) -> FastAPI:
    """Return the application over a `Serving` that whoever runs the application has started, and stops afterwards.

    Only requests for one of `hosts` are answered, so that a web page elsewhere cannot reach a service on loopback by
    giving its own name a loopback address; None answers for all. `access` tells who asks; by default everybody may.
    """
    app = FastAPI(
        title="Tandem",
        summary="Hybrid search over your own writing.",
        version=version("tandem-search"),
        lifespan=_lifespan,
        docs_url=None,  # FastAPI's own pages load their scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        responses=problems(400, 401, 403, 429, 500),
    )
    app.state.serving = serving
    app.state.access = access or Access()
    app.state.metrics = Metrics(serving.home)
    app.state.queue = JobQueue(serving.home)
    app.state.searching = Searching(serving, app.state.metrics)
    app.state.suggesting = Suggesting(serving.home.catalog)
    add_handlers(app)
    describe(app)
    app.add_middleware(Heads)
    add_idempotency(app)
    add_conditions(app)
    app.add_middleware(BodyLimit, most_of=app.state.access.most_of)
    app.add_middleware(SameOrigin)
    app.add_middleware(AnsweredToTheEnd)
    if hosts is not None:
        app.add_middleware(TrustedHosts, hosts=hosts)
    app.add_middleware(Watched, metrics=app.state.metrics)  # the outermost: it sees every answer
    for resource in INTERFACE:
        app.include_router(resource.router, dependencies=[KnownOnly])
    for place in (operations, reference, search_page, pages, actions, uploads, judge, compare, reports):
        app.include_router(place.router)
    app.router.routes.append(Route("/mcp", _Mcp(), methods=None, include_in_schema=False))
    return app


class _Mcp:
    """Passes requests on to what the running application answers them with."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.mcp(scope, receive, send)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.writers = anyio.CapacityLimiter(WRITERS)
    app.state.tellers = anyio.CapacityLimiter(feedback.TELLERS)
    app.state.mcp = McpOverHttp(Counted(app.state.serving, app.state.metrics), app.state.access)
    with app.state.searching.running():
        yield
    await app.state.mcp.close()
