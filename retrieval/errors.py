"""The errors Tandem raises on purpose. Every message says what failed, the value seen, and what to do next.

TandemError                     anything a person can act on; the CLI prints it as one line, the API as a problem
├── UsageError                  wrong arguments or settings (exit code 2)
├── CatalogError                the catalog cannot be opened or read
│   ├── SchemaMismatch          it was written by an older or newer Tandem
│   └── NotFound                no such collection, document or model
│       └── UnknownName         no such name among those that not everybody may see
├── SourceError                 a source cannot be read
│   ├── Skipped                 left out on purpose: binary, too large, empty; not a failure
│   └── ParseError              it should have been readable and was not
├── ModelError                  an embedding model cannot be found, loaded or exported
│   └── FingerprintMismatch     vectors of one model met another model
└── StoreError                  a search index failed
    └── IndexBusy               another process holds the index; names the holder
"""

from collections.abc import Iterable


class TandemError(Exception):
    """Anything a person can act on."""

    @property
    def in_full(self) -> str:
        """The message for whoever may see everything."""
        return str(self)


class UsageError(TandemError):
    """Wrong arguments or settings."""


class CatalogError(TandemError):
    """The catalog cannot be opened or read."""


class SchemaMismatch(CatalogError):
    """The catalog was written by an older or newer Tandem."""


class NotFound(CatalogError):
    """No such collection, document or model."""


class UnknownName(NotFound):
    """No collection or model has this name. Only `in_full` tells the names there are: a key may be for one of them."""

    def __init__(self, what: str, known: Iterable[str], remedy: str) -> None:
        super().__init__(f"There is no {what}. {remedy}")
        self._in_full = f"There is no {what} (there is: {', '.join(known) or 'none yet'}). {remedy}"

    @property
    def in_full(self) -> str:
        """The message, with the names there are."""
        return self._in_full


class SourceError(TandemError):
    """A source cannot be read."""


class Skipped(SourceError):
    """Left out on purpose (binary, too large, empty): reported, never a failure."""


class ParseError(SourceError):
    """A document that should have been readable was not."""


class ModelError(TandemError):
    """An embedding model cannot be found, loaded or exported."""


class FingerprintMismatch(ModelError):
    """Vectors of one model met another model."""


class StoreError(TandemError):
    """A search index failed."""


class IndexBusy(StoreError):
    """Another process holds the index; the message names it and says what to do, `held` only names it."""

    def __init__(self, message: str, *, held: str = "") -> None:
        super().__init__(message)
        self.held = held or message
