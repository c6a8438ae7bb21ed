"""One frozen Settings, read once at the entry point from TANDEM_* variables."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from retrieval.errors import UsageError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
STORES = ("edge", "memory", "qdrant")
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Settings:
    """Process-wide settings; each field is read from TANDEM_<NAME IN CAPITALS>.

    What belongs to one collection (language, chunk size, BM25's k1 and b, fusion) lives in the catalog instead, with
    the index that was built from it.
    """

    home: Path = Path("~/.tandem")
    """Folder of the catalog, the models and the index; `--home` overrides it."""
    catalog_url: str = ""
    """SQLAlchemy URL of the catalog; empty means SQLite in the home."""
    store: str = "edge"
    """Search index: `edge` (in process, on disk), `memory` (exact, rebuilt at start) or `qdrant` (a server)."""
    qdrant_url: str = ""
    """URL of the Qdrant server, for `TANDEM_STORE=qdrant`."""
    qdrant_api_key: str = ""
    """API key of the Qdrant server, if it wants one."""
    queue_url: str = ""
    """URL of the Redis that tells workers of jobs, `redis://...` (extra `redis`); empty means a file in the home."""
    model: str = DEFAULT_MODEL
    """Embedding model of new collections: a hub id, a folder, or a registered version."""
    ingest_dir: Path | None = None
    """Folder whose files jobs that are asked for over HTTP may ingest; empty means none: only URLs."""
    auth: bool = False
    """Ask for a key on loopback addresses too; on others a service always does."""
    rate_limit: str = "1200/minute"
    """Requests that one key may make: `N/second`, `N/minute` or `N/hour`."""
    search_log: bool = True
    """Whether a service keeps what is searched, and what readers click, without who asked."""
    search_log_days: int = 90
    """For how many days searches are kept; 0 means for good."""
    threads: int = 0
    """Threads for the encoder; 0 means one a core."""
    max_file_bytes: int = 20_000_000
    """Files larger than this are skipped with a reason."""
    log_level: str = "WARNING"
    """What is logged, on stderr: `DEBUG`, `INFO` (every request and job), `WARNING`, `ERROR` or `CRITICAL`."""
    log_format: str = "text"
    """How `tandem serve` and `tandem worker` log: `text`, or `json` for one JSON object a line."""

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
        _check_choice("TANDEM_STORE", settings.store, STORES)
        _check_choice("TANDEM_LOG_FORMAT", settings.log_format, LOG_FORMATS)
        _check_choice("TANDEM_LOG_LEVEL", settings.log_level.upper(), LOG_LEVELS)
        return replace(settings, log_level=settings.log_level.upper())


def _check_choice(variable: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UsageError(f"{variable} is {value!r}; choose one of {', '.join(choices)}.")


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
