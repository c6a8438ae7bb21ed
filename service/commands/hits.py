"""Hits for people: title, where, the passage that matches, and on request why."""

import html
import os
import re
import sys
from collections.abc import Mapping

from retrieval.console import note, print_line, table
from retrieval.results import SearchResult
from retrieval.snippets import BOLD, PLAIN, Markup
from retrieval.types import Hit, LegScore, Mode, Passage

_MARK = re.compile(r"</?mark>")
_SPACE = re.compile(r"\s+")


def print_hits(result: SearchResult, *, explain: bool) -> None:
    """Print a result; suggestions and notes go to stderr."""
    markup = BOLD if sys.stdout.isatty() and "NO_COLOR" not in os.environ else PLAIN
    for word, known in result.did_you_mean.items():
        note(
            f"{word!r} is in no document; did you mean {' or '.join(known)}?"
            if known
            else f"{word!r} is in no document."
        )
    for text in result.notes:
        note(text)
    if not result.hits:
        print_line("Nothing found.")
    for hit in result.hits:
        _print_hit(hit, markup)
    if explain:
        _print_explanation(result)


def _print_hit(hit: Hit, markup: Markup) -> None:
    title = markup.escape(hit.title or hit.document_id)
    where = markup.escape(hit.url or hit.document_id)
    print_line(f"{hit.rank:>3}. {markup.opening}{title}{markup.closing}" + ("" if where == title else f"  ({where})"))
    if hit.passages:
        best = hit.passages[0]
        if best.headings:
            print_line(f"     {markup.escape(' > '.join(best.headings))}")
        print_line(f"     {_marked(best.highlights, markup)}")


def _marked(highlights: str, markup: Markup) -> str:
    """Return highlighted HTML for a terminal, on one line."""
    parts = [markup.escape(html.unescape(part)) for part in _MARK.split(highlights)]
    inside = [_SPACE.sub(" ", part) for part in parts]
    return "".join(f"{markup.opening}{p}{markup.closing}" if i % 2 else p for i, p in enumerate(inside)).strip()


def _print_explanation(result: SearchResult) -> None:
    rows = []
    for hit in result.hits:
        rows.append([str(hit.rank), hit.document_id, f"{hit.score:.3f}", *_cells(hit.legs)])
        rows += [["", f"  chunk {p.chunk_id} {_path(p)}", f"{p.score:.3f}", *_cells(p.legs)] for p in hit.passages]
    print_line()
    header = ["RANK", "DOCUMENT / PASSAGE", "SCORE", "KEYWORD RANK", "BM25", "EMBEDDING RANK", "COSINE"]
    table(rows, header)
    if told := result.explanation:
        weights = ", ".join(f"{leg} {weight:.2f}" for leg, weight in told.weights.items())
        print_line(f"fusion {told.fusion}; weights: {weights}; {told.found} found")
    stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in result.timings_ms.items())
    print_line(f"arm {result.arm}; milliseconds: {stages}")


def _path(passage: Passage) -> str:
    return " > ".join(passage.headings)[:60]


def _cells(legs: Mapping[str, LegScore]) -> list[str]:
    cells: list[str] = []
    for name in (Mode.KEYWORD, Mode.EMBEDDING):
        leg = legs.get(name)
        cells += [str(leg.rank), f"{leg.score:.3f}"] if leg else ["-", "-"]
    return cells
