"""/v1/models: the embedding models of the home, and which one searches"""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from indexer.model_uses import uses_of
from indexer.promotion import promote, rollback
from indexer.promotion_history import Promotion
from retrieval.home import Home
from retrieval.models import VERSION_PATTERN
from service.api.catalog_schemas import ModelBody, ModelsBody, PromotionRequest, RollbackRequest, SwitchBody
from service.api.conditional import NOT_MODIFIED, Tagged
from service.api.described import problems
from service.auth import Admin, Reader
from service.serving import Serving

router = APIRouter(prefix="/v1/models", tags=["models"])
PROBLEMS = problems(400, 404, 409, 413, 422, 503)
Version = Annotated[str, Path(pattern=f"^{VERSION_PATTERN}$", description="The model's version.", examples=["tuned"])]


@router.get("", response_model=ModelsBody, responses=problems(422) | NOT_MODIFIED, summary="List models")
def list_models(request: Request, caller: Reader, tagging: Tagged) -> Response:
    """List the models of the home: what collections use them for, what was last said of them, how they came about."""
    caller.sees_all()
    home = _home(request)
    infos = home.models.list_models()
    uses = uses_of(home.catalog, [info.version for info in infos])
    found = ModelsBody(
        models=[
            ModelBody(
                version=info.version,
                fingerprint=info.fingerprint,
                dimensions=info.dimensions,
                precision=info.precision,
                source=info.source,
                uses=[part for part in uses[info.version].words.split("; ") if part],
                said=uses[info.version].said,
                provenance=dict(info.provenance),
            )
            for info in infos
        ]
    )
    return tagging.tagged(found)


@router.post("/{version}/promote", response_model=SwitchBody, responses=PROBLEMS, summary="Promote a model")
def promote_model(request: Request, caller: Admin, version: Version, body: PromotionRequest) -> SwitchBody:
    """Let a model take over, if a verdict says that it is better; searches go on with the old one until it can.

    This returns when it has, which may take minutes where its vectors are not in the index yet. Cut short by the end of
    the service, the same request goes on where it was.
    """
    caller.check(body.collection)
    serving: Serving = request.app.state.serving
    collection = serving.home.catalog.collections.get(body.collection)
    force, waive = body.force or None, body.waive_canary or None
    done = promote(serving.home, collection, version, force=force, waive_canary=waive, tell=serving.go_on)
    return _switched(body.collection, done)


@router.post("/rollback", response_model=SwitchBody, responses=PROBLEMS, summary="Go back to the model before")
def roll_back(request: Request, caller: Admin, body: RollbackRequest) -> SwitchBody:
    """Go back to the model before the last promotion, at once."""
    caller.check(body.collection)
    serving: Serving = request.app.state.serving
    done = rollback(serving.home, serving.home.catalog.collections.get(body.collection), serving.go_on)
    return _switched(body.collection, done.promotion)


def _switched(collection: str, done: Promotion) -> SwitchBody:
    return SwitchBody(collection=collection, model=done.after, before=done.before)


def _home(request: Request) -> Home:
    home: Home = request.app.state.serving.home
    return home
