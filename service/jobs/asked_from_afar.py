"""What work may be asked for over HTTP, where the person at the keyboard is not the owner of the machine."""

from dataclasses import replace
from pathlib import Path

from retrieval.catalog.job import Work
from retrieval.errors import UsageError
from retrieval.settings import Settings
from retrieval.types import JsonValue
from service.jobs.kinds import IngestParameters


def asked_from_afar(work: Work, settings: Settings) -> Work:
    """Return work that may be done, paths in the folder that is meant for it written out.

    Raises UsageError where it would read other files, or import code. Addresses of private networks are refused where
    they are opened, after their names are looked up.
    """
    if work.kind != "ingest":
        return work
    sources = IngestParameters.model_validate(dict(work.parameters)).sources
    allowed: list[JsonValue] = [_allowed(source, settings.ingest_dir) for source in sources]
    return replace(work, parameters={**work.parameters, "sources": allowed})


def _allowed(source: str, folder: Path | None) -> str:
    if source.lower().startswith(("http://", "https://")):
        return source
    if source.startswith("pydoc:"):
        raise UsageError("pydoc: imports packages, which is not done over HTTP; run `tandem ingest pydoc:...` there.")
    if folder is None:
        raise UsageError(
            "Over HTTP only http:// and https:// are ingested, unless TANDEM_INGEST_DIR names a folder for it there."
        )
    resolved = (folder / source).resolve()
    if not resolved.is_relative_to(folder.resolve()):
        raise UsageError(f"{source!r} is not in the folder whose files may be ingested over HTTP.")
    return str(resolved)
