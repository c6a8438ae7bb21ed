"""/readyz and /metrics: for those who watch over a service"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from retrieval.errors import TandemError
from service.api.schemas import HealthBody, ReadyBody
from service.auth import Anyone, Reader
from service.monitoring import Metrics
from service.serving import Serving

router = APIRouter(tags=["operations"])


@router.get("/healthz", response_model=HealthBody, summary="Is it alive?")
async def healthz(request: Request) -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok", "version": request.app.version}


@router.get(
    "/readyz",
    response_model=ReadyBody,
    responses={503: {"model": ReadyBody, "description": "Something is missing yet."}},
    summary="Can it search?",
    openapi_extra={"security": [{}]},  # or without a key
)
def readyz(request: Request, response: Response, caller: Anyone) -> ReadyBody:
    """Say whether every collection can be searched; and what is missing, to whoever may see every collection."""
    serving: Serving = request.app.state.serving
    try:
        missing = serving.missing()
    except TandemError as error:
        missing = [str(error)]
    if missing and (caller is None or caller.only is not None):
        missing = ["Not everything can be searched; the log, and a key for every collection, say what is missing."]
    if serving.is_stopping:
        missing.append("The service is stopping.")
    response.status_code = 503 if missing else 200
    return ReadyBody(status="not ready" if missing else "ready", missing=missing)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
def metrics(request: Request, caller: Reader) -> Response:
    """Give the metrics in Prometheus' text format."""
    caller.sees_all()
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
