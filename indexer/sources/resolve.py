"""From what a person typed to the source it names."""

from pathlib import Path

from indexer.sources.base import Source, SourceOptions
from indexer.sources.fields import published_at
from retrieval.errors import UsageError


def open_source(location: str, options: SourceOptions) -> list[Source]:
    """Return the sources that `location` names: pydoc:PKG[,PKG...] (one a package), an http(s) URL, or a path.

    Raises UsageError for anything else, naming what was seen, and for a base URL that is none.
    """
    try:
        published_at(options.base_url)
    except ValueError as error:
        raise UsageError(f"{options.base_url!r} is no base URL: {error}.") from None
    scheme, _, rest = location.partition(":")
    match scheme.lower():
        case "pydoc":
            from indexer.sources.pydoc import PydocSource, packages_in

            return [PydocSource(package, options) for package in packages_in(rest)]
        case "http" | "https":
            from indexer.sources.web import WebSource

            return [WebSource(location, options)]
    path = Path(location).expanduser()
    try:
        return [_opened(path, options)]
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UsageError(f"{location!r} cannot be looked at ({error}).") from None


def lasting(location: str) -> str:
    """Return what names the same source from any folder: a path as an absolute one, everything else as it is."""
    scheme = location.partition(":")[0].lower()
    return location if scheme in ("pydoc", "http", "https") else str(Path(location).expanduser().absolute())


def _opened(path: Path, options: SourceOptions) -> Source:
    from indexer.sources.folder import FileSource, FolderSource

    if path.is_dir():
        return FolderSource(path.resolve(), options)
    if path.is_file():
        return FileSource(path.resolve(), options)
    raise UsageError(
        f"{str(path)!r} is no file, folder, URL or pydoc:PKG; check the spelling, or run from the folder it lies in."
    )
