"""Queries in comments: what a line of a code block says of the code below it."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from retrieval.catalog import ChunkText
from trainer.known_items.candidates import Candidate, Source
from trainer.known_items.objections import Judge, Reason, strings_of
from trainer.known_items.shapes import cleaned
from trainer.pairs.material import Material
from trainer.pairs.offers import Drops, Offer, PairReason, PairSource

LEAST_WORDS: Final = 4
_LETTERS = 0.8
"""The least share of letters among the characters of a comment in plain words."""

_FENCED = re.compile(r"^(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=fence)[ \t]*$", re.M | re.DOTALL)
_HASH = re.compile(r"\s*#+\s+(?P<said>\S.*)")
_SLASHES = re.compile(r"\s*//[/!]?\s+(?P<said>\S.*)")
_DASHES = re.compile(r"\s*--\s+(?P<said>\S.*)")
_SLASHED = "rust rs c cpp c++ h java js javascript jsx ts typescript tsx go swift kotlin scala php dart zig csharp c#"
_DASHED = "sql sqlite psql postgresql lua haskell hs elm"
_UNREAD = "text txt plain json html xml markdown md diff patch csv mermaid output"
_MARKS: Final = {
    **dict.fromkeys(_SLASHED.split(), _SLASHES),
    **dict.fromkeys(_DASHED.split(), _DASHES),
    **dict.fromkeys(_UNREAD.split(), None),
}
"""How a line of comment looks, by the language of its block; by default as in Python and in shells."""

_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+(?=\S)")
_DOES = re.compile(
    r"(?:add|allow|append|apply|assign|attach|authenticate|build|calculate|call|cast|change|check|clean|clear|clone"
    r"|close|collect|combine|compile|compress|compute|configure|connect|construct|convert|copy|count|create|cut|decode"
    r"|decrypt|define|delete|deploy|detect|disable|display|divide|download|draw|drop|dump|emit|enable|encode|encrypt"
    r"|ensure|estimate|exclude|execute|expand|export|expose|extract|fetch|fill|filter|find|flush|force|format|generate"
    r"|get|grant|group|handle|hash|hide|ignore|import|include|increase|increment|inject|insert|install"
    r"|invoke|iterate|join|kill|limit|link|list|listen|load|log|login|loop|make|map|mark|match|measure|merge|mount"
    r"|move|multiply|normali[sz]e|open|pad|parse|pass|patch|pick|plot|prepare|preserve|prevent|print|process|provide"
    r"|publish|pull|push|put|query|raise|read|receive|record|redirect|reduce|register|remove|rename|render|replace"
    r"|request|require|reset|resize|resolve|restart|restore|restrict|retrieve|retry|return|reverse|rotate|round|run"
    r"|sample|save|scale|scan|schedule|scrape|search|select|send|seriali[sz]e|serve|set|show|shuffle|skip|sort|specify"
    r"|split|start|stop|store|stream|strip|submit|subtract|sum|switch|sync|take|test|throw|toggle|track|train|transform"
    r"|translate|trigger|trim|truncate|turn|unpack|update|upgrade|upload|use|validate|verify|wait|walk|watch|wrap"
    r"|write|zip)(?:e?s)?\s",
    re.IGNORECASE,
)
"""What code does is said with a verb at the start. These are English; in another language no comment is a query."""
_LICENCE = re.compile(r"\b(?:copyright|licen[cs]ed?|spdx|all rights reserved|warranty|generated)\b", re.IGNORECASE)
_ASIDE = re.compile(
    r"\b(?:above|below|previously|rest|omitted|snip|code|examples?|lines?|todo|fixme|same|again|still|would|foo|bar|baz"
    r"|etc|later|won|doesn|don|can|isn|didn|not|no longer|already|old|will|errors?|instead|different|whatever|something"
    r"|everything|like|here|now|sure|step|stage|your|set of|which|that)\b",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"\b[a-z]+[A-Z]|\w_\w")
_CODE = re.compile(r"[={}<>;|\\^~\[\]@$*]|\w\(|\(\)|\)\.|::|->|&&|(?:^|\s)--?\w|://|\w/\w+/|…|\.\.|\?$")


def comment_candidates(material: Material) -> Iterator[tuple[Candidate, ChunkText]]:
    """Yield what the comments of every chunk's code say, each with its chunk; texts are cleaned, and none is empty."""
    for place, chunks in enumerate(material.chunks):
        for text in chunks:
            for said in _comments(text.chunk.text):
                if query := cleaned(_SENTENCE_END.split(said, maxsplit=1)[0]):
                    yield Candidate(query, said, Source.HEADING, place), text


class Comments:
    """Offers what comments say of the code below them."""

    def __init__(self, judge: Judge, found: Sequence[tuple[Candidate, ChunkText]], drops: Drops) -> None:
        """Take what the comments say."""
        self._judge = judge
        self._found = found
        self._drops = drops

    def offers(self) -> Iterator[Offer]:
        """Yield a query for each comment that a reader may ask; note the others."""
        for candidate, text in self._found:
            objection = self._objection(candidate)
            if objection is None:
                strings = tuple(dict.fromkeys([*strings_of(candidate), candidate.written]))
                yield Offer(candidate.text, PairSource.COMMENT, candidate.place, text.chunk.position, strings)
            else:
                self._drops.add(objection, candidate.text)

    def _objection(self, candidate: Candidate) -> Reason | PairReason | None:
        if not is_said(candidate.text):
            return PairReason.NO_COMMENT
        objection = self._judge.objection(candidate)
        return None if objection is Reason.PASSING else objection  # the code does what it says


def is_said(text: str) -> bool:
    """Tell whether a comment says in words what code does: it is no code itself, no licence, no aside to a reader."""
    letters = sum(character.isalpha() or character.isspace() for character in text)
    if len(text.split()) < LEAST_WORDS or letters < _LETTERS * len(text):
        return False
    is_imperative = bool(_DOES.match(text))
    return is_imperative and not any(pattern.search(text) for pattern in (_LICENCE, _ASIDE, _CODE, _VARIABLE))


def _comments(text: str) -> Iterator[str]:
    """Yield each run of comment lines that has code on the line below it."""
    for block in _FENCED.finditer(text):
        mark = _MARKS.get(block["language"].strip().lower().partition(" ")[0].partition(",")[0], _HASH)
        run: list[str] = []
        for line in block["code"].split("\n") if mark else ():
            if found := mark.fullmatch(line) if mark else None:
                run.append(found["said"])
                continue
            if run and line.strip():
                yield " ".join(run)
            run = []
