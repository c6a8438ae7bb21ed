"""POST /v1/documents"""

from typing import Any

from fastapi import APIRouter, Request

from indexer.submission import Submitted, submit
from service.api.schemas import DocumentsBody, DocumentsRequest, ProblemBody
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["documents"])
PROBLEMS: dict[int | str, dict[str, Any]] = {code: {"model": ProblemBody} for code in (400, 404, 413, 422, 503)}


@router.post("/documents", response_model=DocumentsBody, responses=PROBLEMS)
def put_documents(request: Request, body: DocumentsRequest) -> dict[str, object]:
    """Keep documents, replacing those with the same ids; one that fails does not stop the others."""
    serving: Serving = request.app.state.serving
    served, pipeline = serving.writer(body.collection)
    outcome = submit(pipeline, [Submitted(**document.model_dump()) for document in body.documents])
    serving.apply(served)
    return {
        "kept": outcome.documents,
        "chunks": outcome.chunks,
        "embedded": outcome.embedded,
        "failures": [{"id": problem.key, "reason": problem.reason} for problem in outcome.problems],
        "indexed": True,
    }
