"""One token to its terms: itself whole, the suffixes that readers type (`Path.read_text`), and its parts.

| token | whole | suffixes | parts |
|---|---|---|---|
| `running` | `run` | | |
| `HTTPException` | `httpexcept` | | `http` `except` |
| `asyncio.to_thread` | `asyncio.to_thread` | `to_thread` | `asyncio` `to` `thread` |
| `XS-23` | `xs23` | | `xs` `23` |
| `e-mail` | `email` | | `e` `mail` |
| `v1.2.3` | `v1.2.3` | `1.2.3` | |
| `--no-cache` | `--no-cache` | `nocach` | `no` `cach` |

Stems hold letters and digits only; what is kept unstemmed holds a digit or one of `. _ / @ + # -`: the two never mix.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final

from retrieval.analysis.folding import fold, fold_case
from retrieval.analysis.tokens import HYPHENS, MAX_TERM, clusters, compiled, is_unspaced

MAX_SUFFIXES: Final = 6
"""Suffixes kept of a dotted name, the shortest ones: a name of n components would have n."""

_HYPHEN: Final = f"[{HYPHENS}]"
_SEGMENT = re.compile(r"[^/@]+")
_COMPONENT = re.compile(r"[^.:]+")
_SUBWORD = re.compile(rf"[^{HYPHENS}_]+")
_VERSION = re.compile(r"([^\W\d_]*)(\d+(?:\.\d+)+)")


def _humps_of(upper: str, lower: str, digit: str) -> str:
    # A plural (APIs) or versioned (IP|v6) acronym, one before a word (HTTP|Exception), a word, an acronym, a number.
    return (
        rf"(?:{upper}){{2,}}(?:s(?!{lower})|(?=v{digit}))|v{digit}+"
        rf"|(?:{upper})+(?={upper}{lower})|(?:{upper})?(?:{lower})+|(?:{upper})+|{digit}+"
    )


_ASCII_HUMP = re.compile(_humps_of("[A-Z]", "[a-z]", "[0-9]"))
_HUMP: Final = _humps_of(r"\p{Lu}\p{M}*", r"[\p{Ll}\p{Lo}\p{Lm}]\p{M}*", r"\p{Nd}")

Stem = Callable[[str], str]


class Role(IntEnum):
    """What a term is of its token."""

    WHOLE = 0
    SUFFIX = 1
    PART = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """A term and the stretch of the token it stands for; `plain` is the stretch folded but not stemmed."""

    start: int
    end: int
    term: str
    plain: str
    role: Role


def pieces(token: str, stem: Stem) -> tuple[Piece, ...]:
    """Return a token's pieces, whole first, no term twice (bigrams of an unspaced script apart)."""
    if token.isalpha() and (token.islower() or token.isupper() or token[1:].islower()):
        return (_word(token, 0, stem, Role.WHOLE),)
    if is_unspaced(token):
        return tuple(_bigrams(token))
    found: dict[str, Piece] = {}
    for piece in _compound(token, stem):
        if piece.term and piece.term not in found:
            found[piece.term] = piece
    return tuple(found.values())


def _bigrams(run: str) -> Iterator[Piece]:
    """Yield each character as a PART (a query of one character needs it) and each two neighbours as a WHOLE."""
    characters = [(start, end, _folded_cluster(character)) for start, end, character in clusters(run)]
    for start, end, character in characters:
        yield Piece(start, end, character, character, Role.PART)
    for (start, _, first), (_, end, second) in pairwise(characters):
        bigram = (first + second)[:MAX_TERM]
        yield Piece(start, end, bigram, bigram, Role.WHOLE)


def unspaced_terms(run: str) -> tuple[str, ...]:
    """Return the terms that `pieces` gives an unspaced run, several times faster: a whole document may be one run."""
    characters = [_folded_cluster(character) for _, _, character in clusters(run)]
    return (*characters, *((first + second)[:MAX_TERM] for first, second in pairwise(characters)))


@lru_cache(maxsize=1 << 14)
def _folded_cluster(character: str) -> str:
    return fold(character[:MAX_TERM])[:MAX_TERM]


def _compound(token: str, stem: Stem) -> Iterator[Piece]:
    core_start = len(token) - len(token.lstrip("-."))
    core = token[core_start:].rstrip("+#")
    if len(core) < len(token):
        yield _exact(token, 0, len(token), Role.WHOLE)
    scheme_end = core.find("://") + 3 if "://" in core else 0
    segments = [(m.start(), m.group()) for m in _SEGMENT.finditer(core, scheme_end)]
    if len(segments) > 1:
        yield _exact(core[scheme_end:], core_start + scheme_end, core_start + len(core), Role.WHOLE)
    role = Role.PART if len(segments) > 1 else Role.SUFFIX if len(core) < len(token) else Role.WHOLE
    for offset, segment in segments:
        yield from _dotted(segment, core_start + offset, stem, role)


def _dotted(name: str, offset: int, stem: Stem, role: Role) -> Iterator[Piece]:
    components = [(m.start(), m.group()) for m in _COMPONENT.finditer(name)]
    if len(components) == 1:
        yield from _component(components[0][1], offset + components[0][0], stem, role)
        return
    if version := _VERSION.fullmatch(name):
        yield from _version(version, offset, stem, role)
        return
    if all(len(text) == 1 and text.isalpha() for _, text in components):  # e.g. U.S.A.
        yield _word(name.replace(".", ""), offset, stem, role, length=len(name))
        return
    yield _exact(name, offset, offset + len(name), role)
    beside = Role.PART if role is Role.PART else Role.SUFFIX
    for start, text in components[1:-1][-MAX_SUFFIXES:]:
        if not text[0].isdigit():
            yield _exact(name[start:], offset + start, offset + len(name), beside)
    last = components[-1][0]
    for start, text in components[::-1]:
        if not text.isdigit() or len(text) > 2:
            yield from _component(text, offset + start, stem, beside if start == last else Role.PART)


def _version(match: re.Match[str], offset: int, stem: Stem, role: Role) -> Iterator[Piece]:
    letters, digits = match.groups()
    yield _exact(match.group(), offset, offset + match.end(), role)
    if letters:
        yield _exact(digits, offset + match.start(2), offset + match.end(), Role.SUFFIX)
    if len(letters) > 1:
        yield _word(letters, offset, stem, Role.PART)


def _component(text: str, offset: int, stem: Stem, role: Role) -> Iterator[Piece]:
    """Yield the pieces of a name without dots: `user_id`, `kube-apiserver`, `HTTPException`, `__init__`."""
    words = [(m.start(), m.group()) for m in _SUBWORD.finditer(text)]
    if len(text) > MAX_TERM:
        yield _exact(text, offset, offset + len(text), role)
        return
    if not words:  # a rule of underscores
        return
    if len(words) > 1 or len(words[0][1]) < len(text):
        yield _joined(text, offset, stem, role)
        role = Role.PART
    for start, word in words:
        yield _word(word, offset + start, stem, role)
        yield from _humps(word, offset + start, stem)


def _humps(word: str, offset: int, stem: Stem) -> Iterator[Piece]:
    pattern = _ASCII_HUMP if word.isascii() else compiled(_HUMP)
    humps = [(m.start(), m.group()) for m in pattern.finditer(word)]
    if len(humps) < 2 or sum(len(hump) for _, hump in humps) < len(word):  # don't, and soft hyphens
        return
    for start, hump in humps:
        # One letter or two digits say nothing alone: the p and the 53 of p53.
        if len(hump) > (2 if hump[0].isdigit() else 1):
            yield _word(hump, offset + start, stem, Role.PART)


def _joined(text: str, offset: int, stem: Stem, role: Role) -> Piece:
    """Join at hyphens what has a letter, so that XS-23 meets XS23 and e-mail email; underscores stay."""
    plain = fold(text)[:MAX_TERM]
    if not any(character.isalpha() for character in text):
        return Piece(offset, offset + len(text), re.sub(_HYPHEN, "-", plain), plain, role)
    joined = re.sub(_HYPHEN, "", fold_case(text))[:MAX_TERM]
    term = stem(joined) if joined.isalpha() else fold(joined)
    return Piece(offset, offset + len(text), term, plain, role)


def _word(text: str, offset: int, stem: Stem, role: Role, length: int = 0) -> Piece:
    folded = fold_case(text[:MAX_TERM])
    if folded.endswith("'s"):
        folded = folded[:-2]
    term = stem(folded) if not folded.isdigit() else folded
    return Piece(offset, offset + (length or len(text)), term[:MAX_TERM], fold(folded)[:MAX_TERM], role)


def _exact(text: str, start: int, end: int, role: Role) -> Piece:
    """Keep a name unstemmed: case folded, hyphens joined inside components that have letters, `::` written as a dot."""
    folded = fold(text[: 4 * MAX_TERM]).replace("::", ".")
    prefix = folded[: len(folded) - len(folded.lstrip("-."))]
    term = prefix + re.sub(rf"(?<=\w){_HYPHEN}(?=[^\W\d_])|(?<=[^\W\d_]){_HYPHEN}(?=\w)", "", folded[len(prefix) :])
    if prefix:
        term = folded
    return Piece(start, end, _bounded(term), folded[:MAX_TERM], role)


def _bounded(term: str) -> str:
    """Keep the end of an overlong name: suffixes of a path differ there."""
    return term if len(term) <= MAX_TERM else term[-MAX_TERM:]
