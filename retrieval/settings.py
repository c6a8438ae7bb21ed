"""One frozen Settings, read once at the entry point from TANDEM_* variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from retrieval.errors import UsageError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
STORES = ("edge", "memory", "qdrant")


@dataclass(frozen=True, slots=True)
class Settings:
    """Process-wide settings; each field is read from TANDEM_<NAME IN CAPITALS>.

    What belongs to one collection (language, chunk size, BM25's k1 and b, fusion) lives in the catalog instead, with
    the index that was built from it.
    """

    home: Path = Path("~/.tandem")
    """Folder of the catalog, the models and the index."""
    catalog_url: str = ""
    """SQLAlchemy URL of the catalog; empty means SQLite in the home folder."""
    store: str = "edge"
    """Search index: edge (in process, on disk), memory (exact, rebuilt at start) or qdrant (a server)."""
    qdrant_url: str = ""
    """URL of the Qdrant server, for store=qdrant."""
    qdrant_api_key: str = ""
    """API key of the Qdrant server, if it wants one."""
    queue_url: str = ""
    """URL of the Redis that tells workers of jobs; empty means a file in the home folder."""
    model: str = DEFAULT_MODEL
    """Embedding model of new collections: a hub id, a folder, or a registered version."""
    ingest_dir: Path | None = None
    """Folder whose files jobs that are asked for over HTTP may ingest; empty means none."""
    auth: bool = False
    """Ask for a key on loopback addresses too; on others a service always does."""
    rate_limit: str = "1200/minute"
    """Requests that one key may make, as N/second, N/minute or N/hour."""
    threads: int = 0
    """Threads for the encoder; 0 means one per core."""
    max_file_bytes: int = 20_000_000
    """Files larger than this are skipped with a reason."""

    @property
    def resolved_catalog_url(self) -> str:
        """The catalog's URL, with the default filled in."""
        return self.catalog_url or f"sqlite:///{self.home / 'catalog.sqlite'}"

    @property
    def models_dir(self) -> Path:
        """Folder of exported models."""
        return self.home / "models"

    @property
    def index_dir(self) -> Path:
        """Folder of the on-disk index, one sub-folder a collection."""
        return self.home / "index"

    def environment(self) -> dict[str, str]:
        """Return the variables that another process reads the same settings from."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {f"TANDEM_{name.upper()}": "" if value is None else str(value) for name, value in values.items()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, *, home: Path | None = None) -> "Settings":
        """Read TANDEM_* once; `home` overrides TANDEM_HOME.

        Raises UsageError for a value that does not parse, naming the variable and the value seen.
        """
        hints = get_type_hints(cls)
        given: dict[str, Any] = {}
        for name in (field.name for field in fields(cls)):
            variable = f"TANDEM_{name.upper()}"
            raw = environment.get(variable, "")
            if raw:
                given[name] = _parsed(variable, raw, hints[name])
        if home is not None:
            given["home"] = home
        settings = cls(**{**given, "home": Path(given.get("home", cls().home)).expanduser().absolute()})
        if settings.store not in STORES:
            raise UsageError(f"TANDEM_STORE is {settings.store!r}; choose one of {', '.join(STORES)}.")
        return settings


_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _parsed(variable: str, raw: str, kind: type) -> object:
    if kind is bool:
        if raw.lower() not in _BOOLEANS:
            raise UsageError(f"{variable} is {raw!r}; set it to true or false.")
        return _BOOLEANS[raw.lower()]
    if kind in (Path, Path | None):
        return Path(raw)
    if kind is not int:
        return kind(raw)
    try:
        number = int(raw)
    except ValueError:
        raise UsageError(f"{variable} is {raw!r}, which is not a whole number; set it to one.") from None
    if number < 0:
        raise UsageError(f"{variable} is {raw!r}; it cannot be negative.")
    return number
