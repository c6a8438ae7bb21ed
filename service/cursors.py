"""Cursors: where the next page of a search begins, in a form that nobody but this home can make.

A cursor says how far the pages before it went, and has a digest of what they showed, by which the next page tells that
the ranking has changed meanwhile. A keyed digest over it and over the search makes it good for that search alone.
"""

import hmac
import json
import os
import secrets
import struct
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from retrieval.errors import UsageError
from retrieval.filter_parsing import filter_to_json
from retrieval.query import Query

KEY_FILE = "cursor-key"
MAX_CURSOR_CHARS = 100
_KEY_BYTES, _SEEN_BYTES, _SEAL_BYTES = 32, 8, 16
_PLACE = struct.Struct(f">BI{_SEEN_BYTES}s")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Place:
    """How many items the pages before have shown, and a digest of which."""

    offset: int
    seen: bytes

    def is_after(self, found: Sequence[int]) -> bool:
        """Tell whether a ranking begins with what the pages before have shown."""
        return hmac.compare_digest(self.seen, _seen(found[: self.offset]))


class Cursors:
    """Writes and reads cursors with the key of a home."""

    def __init__(self, home: Path) -> None:
        self._key = _key_of(home)

    def after(self, collection: str, query: Query, found: Sequence[int]) -> str | None:
        """Return the cursor of the page after this one; None where it was the last."""
        end = query.offset + query.k
        if end >= len(found):
            return None
        place = _PLACE.pack(_VERSION, end, _seen(found[:end]))
        return urlsafe_b64encode(place + self._seal(place, collection, query)).decode().rstrip("=")

    def read(self, cursor: str, collection: str, query: Query) -> Place:
        """Return where a cursor points to; raises UsageError for one that this home did not make for this search."""
        raw = b""
        with suppress(ValueError):
            raw = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place, seal = raw[: _PLACE.size], raw[_PLACE.size :]
        if len(place) < _PLACE.size or not hmac.compare_digest(seal, self._seal(place, collection, query)):
            raise UsageError(
                f"The cursor {cursor[:MAX_CURSOR_CHARS]!r} is none of this search: send it with exactly the search "
                "whose answer had it as `next`, or begin again without one."
            )
        _, offset, seen = _PLACE.unpack(place)
        return Place(offset, seen)

    def _seal(self, place: bytes, collection: str, query: Query) -> bytes:
        where = filter_to_json(query.where) if query.where is not None else None
        asked = [collection, query.text.strip(), query.k, query.mode, where, query.group, query.model]
        return blake2b(place + json.dumps(asked).encode(), key=self._key, digest_size=_SEAL_BYTES).digest()


def _seen(found: Sequence[int]) -> bytes:
    return blake2b(struct.pack(f">{len(found)}q", *found), digest_size=_SEEN_BYTES).digest()


def _key_of(home: Path) -> bytes:
    """Return the home's key, made at first; one for this process alone where the home cannot be written."""
    file = home / KEY_FILE
    with suppress(OSError):
        if not file.exists():
            _make_key(file)
    try:
        key = file.read_bytes()
    except OSError:
        key = b""
    return key if len(key) == _KEY_BYTES else secrets.token_bytes(_KEY_BYTES)


def _make_key(file: Path) -> None:
    """Make the key, whole or not at all; another process's that came first stays."""
    made = file.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}")
    made.touch(mode=0o600)
    try:
        made.write_bytes(secrets.token_bytes(_KEY_BYTES))
        os.link(made, file)
    finally:
        made.unlink()
