"""/v1/documents/files: documents sent as files"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request, UploadFile

from indexer.sources.base import SourceOptions
from indexer.uploads import Sent, Upload, Uploaded
from service.api.described import problems
from service.api.file_schemas import FileBody, FilesBody, FilesRequest
from service.api.idempotent import Once
from service.api.schemas import DocumentsProblem, FailureBody
from service.api.writing import nothing_kept, written
from service.auth import Caller, Writer
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["documents"])
PROBLEMS = problems(400, 409, 413, 503) | {
    422: {"model": DocumentsProblem, "description": "The request is not understood, or none of its files was kept."}
}
Files = Annotated[FilesRequest, Form(media_type="multipart/form-data")]


@router.post(
    "/documents/files", response_model=FilesBody, responses=PROBLEMS, summary="Keep files", dependencies=[Once]
)
async def put_files(request: Request, caller: Writer, form: Files) -> object:
    """Read files as `tandem ingest` reads them, and keep what they hold; it is searchable when this returns.

    Each file is read by itself, in a process that cannot harm the service: one that fails is listed with its reason and
    stops no other. The request itself fails only when no file of it could be kept.
    """
    answer = await keep_files(request, caller, form)
    return answer if answer.files else nothing_kept(answer.failures)


async def keep_files(request: Request, caller: Caller, form: FilesRequest) -> FilesBody:
    """Keep what files hold, and return what became of them; raises Forbidden, and what `Serving.upload` raises."""
    caller.check(form.collection)
    serving: Serving = request.app.state.serving
    options = SourceOptions(
        format=form.format,
        base_url=form.base_url,
        metadata=form.told,
        max_file_bytes=serving.home.settings.max_file_bytes,
        id_prefix=form.id_prefix,
    )
    return await written(request, partial(_kept, serving, form.collection, form.files, options))


def _kept(serving: Serving, collection: str, files: Sequence[UploadFile], options: SourceOptions) -> FilesBody:
    sent = [Sent(file.filename or "", file.file.read()) for file in files]
    uploaded, indexed = serving.upload(collection, Upload(sent, options))
    summary = uploaded.summary
    return FilesBody(
        files=_named(uploaded),
        kept=summary.documents,
        chunks=summary.chunks,
        embedded=summary.embedded,
        failures=[FailureBody(id=problem.key, reason=problem.reason) for problem in summary.problems],
        indexed=indexed,
    )


def _named(uploaded: Uploaded) -> list[FileBody]:
    read = [FileBody(name=name, unchanged=False) for name in uploaded.read]
    return sorted([*read, *(FileBody(name=name, unchanged=True) for name in uploaded.unchanged)], key=lambda f: f.name)
