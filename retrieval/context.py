"""From hits to a context for a language model: passages with their neighbours, within a budget of tokens, cited.

The best passage of every hit comes first, by rank; then, hit by hit, its other passages and the chunks around them, as
long as they fit. Chunks that follow one another become one source; no text comes twice.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.catalog.reading import PlacedChunk
from retrieval.types import Hit

MAX_PATH_CHARS: Final = 120
"""Of a source's title and headings, as its marker shows them."""
_MARKER: Final = re.compile(r"^(\s*)\[(?=\d+\])", re.MULTILINE)
_SPACE: Final = re.compile(r"\s+")

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tokens a context may have, and how many chunks before and after a passage may come with it."""

    tokens: int
    neighbours: int


@dataclass(frozen=True, slots=True)
class Source:
    """Chunks of one document that follow one another; `number` is its marker, `rank` and `score` are the document's."""

    number: int
    rank: int
    score: float
    document_id: str
    title: str
    url: str | None
    headings: tuple[str, ...]
    chunk_ids: tuple[int, ...]
    text: str
    is_cut: bool = False

    def rendered(self) -> str:
        """Return the source under its marker; a line of it that looks like a marker is escaped."""
        head, text = _head(self.number, self.title, self.headings), _MARKER.sub(r"\1\\[", self.text)
        return f"{head}\n{text}"


@dataclass(frozen=True, slots=True)
class Context:
    """One text with its sources by rank, and how many tokens the text has."""

    text: str
    tokens: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A chunk that may be taken, for a hit."""

    chunk: PlacedChunk
    hit: Hit


def packed(hits: Sequence[Hit], chunks: Iterable[PlacedChunk], count: CountTokens, budget: Budget) -> Context:
    """Return what of the hits' passages, and of the chunks around them, fits into the budget.

    `count` counts tokens as the collection's tokenizer does. A first passage that is too long by itself is cut.
    """
    wanted = list(_by_turns(hits, {chunk.id: chunk for chunk in chunks}, budget.neighbours))
    costs = count([_piece(one.chunk) for one in wanted])
    heads = count([_head(len(hits), hit.title, _longest_path(hit)) for hit in hits])
    head_of = {hit.document_id: cost for hit, cost in zip(hits, heads, strict=True)}
    taken: list[_Wanted] = []
    left = budget.tokens
    for one, cost in zip(wanted, costs, strict=True):
        alone = not any(_is_beside(one, other) for other in taken)
        cost += head_of[one.hit.document_id] if alone else 0
        if cost <= left:
            taken.append(one)
            left -= cost
    while taken:
        context = _context(_sources(taken), count)
        if context.tokens <= budget.tokens:
            return context
        taken.pop()  # tokens of the whole are not always the sum of those of its parts
    return _context(_cut(wanted[0], count, budget.tokens) if wanted else (), count)


def _by_turns(hits: Sequence[Hit], chunks: Mapping[int, PlacedChunk], reach: int) -> Iterator[_Wanted]:
    """Yield chunks in the order in which they are wanted, each text once."""
    seen: set[str] = set()

    def fresh(chunk: PlacedChunk | None, hit: Hit) -> Iterator[_Wanted]:
        if chunk is not None and chunk.text.strip() and chunk.text not in seen:
            seen.add(chunk.text)
            yield _Wanted(chunk, hit)

    at = {(chunk.document, chunk.position): chunk for chunk in chunks.values()}
    for hit in hits:
        if hit.passages:
            yield from fresh(chunks.get(hit.passages[0].chunk_id), hit)
    for hit in hits:
        own = [chunks[passage.chunk_id] for passage in hit.passages if passage.chunk_id in chunks]
        for chunk in own:
            yield from fresh(chunk, hit)
        for step in range(1, reach + 1):
            for chunk in own:
                yield from fresh(at.get((chunk.document, chunk.position + step)), hit)
                yield from fresh(at.get((chunk.document, chunk.position - step)), hit)


def _is_beside(one: _Wanted, other: _Wanted) -> bool:
    return one.chunk.document == other.chunk.document and abs(one.chunk.position - other.chunk.position) == 1


def _sources(taken: Sequence[_Wanted]) -> list[Source]:
    """Return the sources that chunks make up: by rank, and of one document the one with its best passage first."""
    turn = {one.chunk.id: place for place, one in enumerate(taken)}
    ordered = sorted(taken, key=lambda one: (one.chunk.document, one.chunk.position))
    runs: list[list[_Wanted]] = []
    for one in ordered:
        if runs and _is_beside(runs[-1][-1], one):
            runs[-1].append(one)
        else:
            runs.append([one])
    runs.sort(key=lambda run: (run[0].hit.rank, min(turn[one.chunk.id] for one in run)))
    return [_source(number, run) for number, run in enumerate(runs, 1)]


def _source(number: int, run: Sequence[_Wanted], *, text: str | None = None) -> Source:
    hit, first = run[0].hit, run[0].chunk
    return Source(
        number=number,
        rank=hit.rank,
        score=hit.score,
        document_id=hit.document_id,
        title=hit.title,
        url=hit.url,
        headings=first.headings,
        chunk_ids=tuple(one.chunk.id for one in run),
        text=_joined([one.chunk for one in run]) if text is None else text,
        is_cut=text is not None,
    )


def _joined(chunks: Sequence[PlacedChunk]) -> str:
    """Return chunks as one text; where the headings change, those that come are named."""
    parts: list[str] = []
    for place, chunk in enumerate(chunks):
        is_new = place > 0 and chunk.headings != chunks[place - 1].headings
        parts.append(_piece(chunk) if is_new else chunk.text)
    return "\n\n".join(parts)


def _piece(chunk: PlacedChunk) -> str:
    return f"{' > '.join(chunk.headings)}\n{chunk.text}" if chunk.headings else chunk.text


def _head(number: int, title: str, headings: Sequence[str]) -> str:
    path = " > ".join(part for part in (title, *(h for h in headings if h != title)) if part)
    line = _SPACE.sub(" ", path).strip()
    shown = line if len(line) <= MAX_PATH_CHARS else f"{line[: MAX_PATH_CHARS - 1]}…"
    return f"[{number}] {shown}".rstrip()


def _longest_path(hit: Hit) -> tuple[str, ...]:
    return max((passage.headings for passage in hit.passages), key=lambda path: len(" > ".join(path)), default=())


def _context(sources: Sequence[Source], count: CountTokens) -> Context:
    text = "\n\n".join(source.rendered() for source in sources)
    return Context(text, count([text])[0] if text else 0, tuple(sources))


def _cut(one: _Wanted, count: CountTokens, tokens: int) -> tuple[Source, ...]:
    """Return the beginning of a chunk, as many whole words as fit; nothing where none does."""
    words = list(re.finditer(r"\S+", one.chunk.text))
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        source = _source(1, [one], text=one.chunk.text[: words[middle - 1].end()])
        if count([source.rendered()])[0] <= tokens:
            low = middle
        else:
            high = middle - 1
    return (_source(1, [one], text=one.chunk.text[: words[low - 1].end()]),) if low else ()
