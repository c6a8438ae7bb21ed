"""The HTTP application. One process owns an embedded index: the one that runs this."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware

from service.api import documents, search
from service.limits import BodyLimit
from service.problems import add_handlers
from service.serving import Serving

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


def create_app(serving: Serving, hosts: tuple[str, ...] = LOOPBACK_HOSTS) -> FastAPI:
    """Return the application over a `Serving`, which it starts and stops.

    Only requests for one of `hosts` are answered, so that a web page elsewhere cannot reach a service on loopback by
    giving its own name a loopback address.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.serving = serving
        serving.start()
        try:
            yield
        finally:
            serving.stop()

    app = FastAPI(
        title="Tandem",
        summary="Hybrid search over your own writing.",
        version=version("tandem-search"),
        lifespan=lifespan,
    )
    add_handlers(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.include_router(search.router)
    app.include_router(documents.router)
    app.get("/healthz", tags=["operations"])(healthz)
    return app


def healthz(request: Request) -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok", "version": request.app.version}
