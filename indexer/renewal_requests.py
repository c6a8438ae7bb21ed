"""Ask the process that owns an index to make it anew, through the catalog: any process may ask, the owner answers.

Requests are numbered. Of the numbers that the collection's setting holds, `asked` is the last that was asked for,
`begun` the last that the owner has begun, `done` and `failed` the last that it has ended so: a request is answered
with those before it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.collections import Settings

RENEWAL = "renewal"


@dataclass(frozen=True, slots=True)
class Requests:
    """How requests stand; `points` are those of the last index made, `why` tells of the last failure."""

    asked: int = 0
    begun: int = 0
    done: int = 0
    failed: int = 0
    points: int = 0
    why: str = ""

    @property
    def is_open(self) -> bool:
        """Whether one was asked for that has neither been done nor failed."""
        return self.asked > max(self.done, self.failed)


def read_requests(catalog: Catalog, collection: Collection) -> Requests:
    """Return how requests of a collection stand."""
    return _requests(catalog.collections.setting(collection, RENEWAL))


def ask(catalog: Catalog, collection: Collection) -> int:
    """Ask for the index to be made anew from what is in the catalog now; return the request's number."""
    return _change(catalog, collection, lambda now: replace(now, asked=now.asked + 1)).asked


def begin(catalog: Catalog, collection: Collection) -> int:
    """Begin with all that was asked for; return the number to end it with."""
    return _change(catalog, collection, lambda now: replace(now, begun=now.asked)).begun


def done(catalog: Catalog, collection: Collection, number: int, points: int) -> None:
    """Answer that the index has been made anew."""
    _change(catalog, collection, lambda now: replace(now, done=number, points=points))


def failed(catalog: Catalog, collection: Collection, number: int, why: str) -> None:
    """Answer that the index could not be made anew, and is the one before."""
    _change(catalog, collection, lambda now: replace(now, failed=number, why=why))


def _change(catalog: Catalog, collection: Collection, change: Callable[[Requests], Requests]) -> Requests:
    changed = Requests()

    def changing(settings: Settings) -> Settings:
        nonlocal changed
        changed = change(_requests(settings.get(RENEWAL)))
        return {**settings, RENEWAL: asdict(changed)}

    catalog.collections.update_settings(collection, changing)
    return changed


def _requests(setting: Any) -> Requests:
    return Requests(**setting) if isinstance(setting, dict) else Requests()
