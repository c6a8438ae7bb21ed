"""Ballots: what a page of two unnamed sides carries, so that a vote is on what was shown and cannot be made up.

A ballot holds what each side showed, signed. Which arm stood on which side follows from the ballot's number and a key
that only this process has: whoever reads the form does not learn it, and whoever changes the form is refused. A ballot
is good for a day, or until the service is started again.
"""

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

from retrieval.errors import UsageError

GOOD_FOR_S = 86_400
_AGAIN = "This page cannot be voted on any more: the service was started again, or a day has passed. Search again."


@dataclass(frozen=True, slots=True)
class Shown:
    """Two arms' answers to a query: the ids of the documents that each showed, in order."""

    collection: str
    query: str
    a: str
    b: str
    a_shown: tuple[str, ...]
    b_shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ballot:
    """What was shown, and which arm ("a" or "b") stood on the left."""

    number: str
    shown: Shown
    on_left: str

    @property
    def on_right(self) -> str:
        """The arm that stood on the right."""
        return "b" if self.on_left == "a" else "a"


class Ballots:
    """Makes ballots, and reads those that it made."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def draw(self, shown: Shown) -> tuple[Ballot, str]:
        """Put two arms on sides at random; return the ballot, and what the form carries of it."""
        number = secrets.token_hex(16)
        written = json.dumps({"number": number, "until": time.time() + GOOD_FOR_S, **asdict(shown)})
        content = urlsafe_b64encode(written.encode()).decode()
        return Ballot(number, shown, self._side(number)), f"{content}.{self._signature(content)}"

    def read(self, sent: str) -> Ballot:
        """Return the ballot that a form carried; raises UsageError for one that was not made here, or long ago."""
        content, _, signature = sent.partition(".")
        if not hmac.compare_digest(self._signature(content).encode(), signature.encode("utf-8", "replace")):
            raise UsageError(_AGAIN)
        told = json.loads(urlsafe_b64decode(content))
        if told.pop("until") < time.time():
            raise UsageError(_AGAIN)
        number = told.pop("number")
        shown = Shown(**{**told, "a_shown": tuple(told["a_shown"]), "b_shown": tuple(told["b_shown"])})
        return Ballot(number, shown, self._side(number))

    def _side(self, number: str) -> str:
        return "ab"[self._digest(f"side {number}")[0] & 1]

    def _signature(self, content: str) -> str:
        return self._digest(f"ballot {content}").hex()

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "replace"), sha256)


def is_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two sides show the same documents in the same order, so that neither can be better."""
    return list(one) == list(other)
