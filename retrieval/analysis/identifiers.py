"""Which tokens of a query are names in code, and how sure that is."""

import re
from dataclasses import dataclass
from typing import Final

from retrieval.analysis.tokens import HYPHENS

_CAMEL = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
_MIXED = re.compile(r"(?<![^\W_])(?!\d+[A-Za-z]{1,2}(?![^\W_]))(?=[^\W_]*\d)(?=\d*[^\W\d_])[^\W_]+")
_HEADER = re.compile(rf"[A-Z][A-Za-z0-9]*(?:[{HYPHENS}][A-Z][A-Za-z0-9]*)+")
_CODED = re.compile(rf"(?=.*[A-Z])[A-Za-z]\w*(?:[{HYPHENS}]\w+)*[{HYPHENS}]\d\w*")
_ABBREVIATION = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.\w+)+|\d+(?:\.\d+){2,}")
_PLAIN_ALTERNATIVES = re.compile(r"[^\W\d_]+/[^\W\d_]+")
_MARKS: Final = ("::", "@", "++", "#")


@dataclass(frozen=True, slots=True)
class Identifier:
    """A code-shaped token of a query.

    `terms` are index terms, the whole name first and then its ever shorter suffixes, for where a corpus knows only
    `to_thread`. `strong` means that the shape alone tells (XS23, user_id, asyncio.run, HTTPException, --flag,
    X-Forwarded-For); a weak one (kube-apiserver, utf-8, step 2) counts only where the corpus says that it is rare.
    """

    surface: str
    terms: tuple[str, ...]
    strong: bool

    @property
    def term(self) -> str:
        """The index term of the whole name."""
        return self.terms[0]


def is_code_shaped(token: str) -> bool:
    """Tell whether a token is more than a word or a number: strong shapes, hyphenations, paths, short flags."""
    if is_strong(token):
        return True
    if _ABBREVIATION.fullmatch(token) or _PLAIN_ALTERNATIVES.fullmatch(token):
        return False
    has_letter = any(character.isalpha() for character in token)
    return has_letter and any(character in f"/.{HYPHENS}" for character in token)


def is_strong(token: str) -> bool:
    """Tell whether a token's shape alone makes it an identifier; plain numbers, years and hyphenations are not."""
    if _ABBREVIATION.fullmatch(token):
        return False
    if token.startswith(("--", ".")) or any(mark in token for mark in _MARKS) or token.count("/") > 1:
        return True
    if "_" in token.strip("_") or (token.startswith("__") and token.strip("_")):
        return True
    return _has_strong_shape(token)


def _has_strong_shape(token: str) -> bool:
    if any(shape.fullmatch(token) for shape in (_HEADER, _CODED, _DOTTED)):
        return True
    # In p53-dependent or UCP1/UCP2 the parts are the identifiers.
    is_composed = any(mark in token for mark in f"/{HYPHENS}") and "." not in token
    return not is_composed and any(shape.search(token) for shape in (_CAMEL, _MIXED))
