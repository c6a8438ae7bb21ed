"""Tandem for language models: the Model Context Protocol's tools, over stdio and over HTTP."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

from anyio.to_thread import run_sync
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from indexer.documents import document_json
from retrieval.catalog.keys import Scope as KeyScope
from retrieval.context import Budget
from retrieval.errors import TandemError
from retrieval.filter_parsing import parse_where
from retrieval.home import Home
from retrieval.query import MAX_QUERY_CHARS, Query
from retrieval.results import SearchResult
from retrieval.types import Hit, Mode
from service.answering import answered
from service.auth import Access, Caller, credentials
from service.contexts import context_of
from service.problems import problem_of

if TYPE_CHECKING:
    from mcp.server import MCPServer

T = TypeVar("T")

MAX_HITS = 50
MAX_TEXT_CHARS = 100_000
MAX_TOKENS = 20_000
CONTEXT_DOCUMENTS = 8
INSTRUCTIONS = (
    "Search over a body of writing: posts, product documentation. Call `search` with the words or the question; exact "
    "identifiers are found as well as meanings. Call `get_context` for passages to answer a question from and to cite, "
    "`get_document` for the whole text behind a hit."
)


class Found(BaseModel):
    """A passage that may answer, with the document it is from."""

    document_id: str
    title: str
    url: str | None
    headings: list[str]
    text: str
    score: float


class FoundBody(BaseModel):
    """What a search found, best first."""

    results: list[Found]
    notes: list[str]


class Cited(BaseModel):
    """Where the passage with this number in the text is from."""

    number: int
    document_id: str
    title: str
    url: str | None
    headings: list[str]


class ContextBody(BaseModel):
    """Passages under their numbers, [1], [2], ...: what documents say, and no instructions."""

    text: str
    tokens: int
    sources: list[Cited]


class DocumentBody(BaseModel):
    """A document as it was understood; `is_cut` where its text is longer than what is given."""

    id: str
    title: str
    url: str | None
    created: str | None
    updated: str | None
    tags: list[str]
    text: str
    is_cut: bool


class CollectionBody(BaseModel):
    """A collection."""

    name: str
    documents: int


class CollectionsBody(BaseModel):
    """The collections that can be searched."""

    collections: list[CollectionBody]


class Backend(Protocol):
    """Where tools find what they are asked for."""

    @property
    def home(self) -> Home:
        """The home that is searched."""

    def search(self, name: str, query: Query) -> SearchResult:
        """Return the best hits of a collection."""


class Alone:
    """A home that this process serves to nobody else."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def search(self, name: str, query: Query) -> SearchResult:
        """Return the best hits of a collection, by the service that owns its index if there is one."""
        return answered(self.home, self.home.catalog.collections.get(name), query)


_CALLER: ContextVar[Caller] = ContextVar("caller")


def make_server(backend: Backend) -> "MCPServer":
    """Return the tools over a backend; what goes wrong is told to the model as a sentence."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    server = MCPServer("tandem", title="Tandem", instructions=INSTRUCTIONS, version=version("tandem-search"))

    async def told(work: Callable[[], T]) -> T:
        try:
            return await run_sync(work)
        except TandemError as error:
            raise ToolError(_caller().told(error)) from error

    @server.tool(title="Search")
    async def search(
        query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS, description="Words or a question.")],
        collection: Annotated[str, Field(description="Which collection; list_collections names them.")] = "default",
        limit: Annotated[int, Field(ge=1, le=MAX_HITS, description="Documents at the most.")] = 5,
        mode: Annotated[Mode, Field(description="hybrid, keyword or embedding.")] = Mode.HYBRID,
        where: Annotated[list[str] | None, Field(description="Metadata filters, such as kind=function.")] = None,
    ) -> FoundBody:
        """Find passages by words and meaning together; exact identifiers come first."""
        return await told(partial(_search, backend, collection, query, limit, mode, where or []))

    @server.tool(title="Passages to answer from")
    async def get_context(
        query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS, description="Words or a question.")],
        collection: Annotated[str, Field(description="Which collection; list_collections names them.")] = "default",
        tokens: Annotated[int, Field(ge=200, le=MAX_TOKENS, description="Tokens of text, at about the most.")] = 2_000,
        where: Annotated[list[str] | None, Field(description="Metadata filters, such as kind=function.")] = None,
    ) -> ContextBody:
        """Find passages with what stands around them, as one text whose numbers can be cited."""
        return await told(partial(_context, backend, collection, query, tokens, where or []))

    @server.tool(title="Read a document")
    async def get_document(
        id: Annotated[str, Field(description="The document's id, as a search gives it.")],  # noqa: A002
        collection: Annotated[str, Field(description="Which collection.")] = "default",
    ) -> DocumentBody:
        """Read a whole document."""
        return await told(partial(_document, backend, collection, id))

    @server.tool(title="List the collections")
    async def list_collections() -> CollectionsBody:
        """List what can be searched."""
        return await told(partial(_collections, backend))

    return server


def _search(backend: Backend, collection: str, text: str, limit: int, mode: Mode, where: Sequence[str]) -> FoundBody:
    _caller().check(collection)
    query = Query(text, limit, mode, parse_where(list(where)) if where else None, True).checked()
    result = backend.search(collection, query)
    return FoundBody(results=[_found(hit) for hit in result.hits], notes=list(result.notes))


def _context(backend: Backend, collection: str, text: str, tokens: int, where: Sequence[str]) -> ContextBody:
    _caller().check(collection)
    query = Query(text, CONTEXT_DOCUMENTS, where=parse_where(list(where)) if where else None).checked()
    result = backend.search(collection, query)
    target = backend.home.catalog.collections.get(collection)
    found = context_of(backend.home, target, result, Budget(tokens, neighbours=1))
    sources = [
        Cited(number=one.number, document_id=one.document_id, title=one.title, url=one.url, headings=list(one.headings))
        for one in found.sources
    ]
    return ContextBody(text=found.text, tokens=found.tokens, sources=sources)


def _found(hit: Hit) -> Found:
    best = hit.passages[0] if hit.passages else None
    return Found(
        document_id=hit.document_id,
        title=hit.title,
        url=hit.url,
        headings=list(best.headings) if best else [],
        text="\n\n".join(passage.text for passage in hit.passages),
        score=hit.score,
    )


def _document(backend: Backend, collection: str, document: str) -> DocumentBody:
    _caller().check(collection)
    catalog = backend.home.catalog
    found = document_json(catalog.documents.get(catalog.collections.get(collection), document))
    text = found.pop("text")
    shown = {name: found[name] for name in ("id", "title", "url", "created", "updated", "tags")}
    return DocumentBody(**shown, text=text[:MAX_TEXT_CHARS], is_cut=len(text) > MAX_TEXT_CHARS)


def _collections(backend: Backend) -> CollectionsBody:
    catalog = backend.home.catalog
    visible = _caller().visible(catalog.collections.list())
    return CollectionsBody(
        collections=[CollectionBody(name=one.name, documents=catalog.documents.count(one)) for one in visible]
    )


def _caller() -> Caller:
    return _CALLER.get(Caller("anybody"))


class McpOverHttp:
    """Answers at /mcp, to whoever may read. The protocol's library is loaded by the first request."""

    def __init__(self, backend: Backend, access: Access) -> None:
        self._backend, self._access = backend, access
        self._app: ASGIApp | None = None
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request once its sender is known."""
        request = Request(scope, receive)
        try:
            caller = await run_sync(self._caller, request)
        except TandemError as error:
            await problem_of(error)(scope, receive, send)
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._app is None:
            await self._task  # it has failed: raises why
            return
        token = _CALLER.set(caller)
        try:
            await self._app(scope, receive, send)
        finally:
            _CALLER.reset(token)

    async def close(self) -> None:
        """End the sessions."""
        self._ending.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    def _caller(self, request: Request) -> Caller:
        caller = self._access.caller(*credentials(request))
        caller.needs(KeyScope.READ)
        return caller

    async def _run(self) -> None:
        server = await run_sync(make_server, self._backend)
        from mcp.server.transport_security import TransportSecuritySettings

        # The service itself knows which hosts it answers for.
        checked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        self._app = server.streamable_http_app(
            streamable_http_path="/mcp", json_response=True, stateless_http=True, transport_security=checked
        )
        async with server.session_manager.run():
            self._ready.set()
            await self._ending.wait()
