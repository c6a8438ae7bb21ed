"""Runs and judgments in TREC's text formats, and BEIR's; ids that these cannot carry are percent-encoded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from retrieval.errors import UsageError
from retrieval.types import Qrels, Run
from trainer.qrels import BEIR_HEADER


def rendered_run(run: Run, tag: str) -> str:
    """Return a run as `query Q0 document rank score tag` lines, best first."""
    return "".join(_run_lines(run, encoded(tag)))


def _run_lines(run: Run, tag: str) -> Iterator[str]:
    for query, scores in run.items():
        ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        for rank, (document, score) in enumerate(ordered, 1):
            yield f"{encoded(query)} Q0 {encoded(document)} {rank} {score!r} {tag}\n"


def parse_run(text: str) -> dict[str, dict[str, float]]:
    """Read what `rendered_run` wrote."""
    run: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        query, _, document, _, score, _ = line.split(" ")
        run.setdefault(decoded(query), {})[decoded(document)] = float(score)
    return run


def rendered_trec_qrels(qrels: Qrels) -> str:
    """Return judgments as `query 0 document grade` lines."""
    return "".join(
        f"{encoded(query)} 0 {encoded(document)} {grade}\n"
        for query, grades in qrels.items()
        for document, grade in grades.items()
    )


def rendered_beir_qrels(qrels: Qrels) -> str:
    """Return judgments as BEIR's TSV with its header; raises UsageError for an id with a tab or a line break."""
    rows = ["\t".join(BEIR_HEADER)]
    for query, grades in qrels.items():
        for document, grade in grades.items():
            if any(c in "\t\r\n" for c in query + document):
                raise UsageError(
                    f"The ids {query!r} and {document!r} cannot both stand in BEIR's TSV, where a tab or a line break "
                    "ends a field; use --format trec."
                )
            rows.append(f"{query}\t{document}\t{grade}")
    return "\n".join(rows) + "\n"


def encoded(text: str) -> str:
    """Return an id without white space: TREC's fields end there. `%` is encoded too, so that nothing is ambiguous."""
    if text.isprintable() and " " not in text and "%" not in text:  # no other white space is printable
        return text
    return "".join(quote(c, safe="") if c == "%" or c.isspace() or not c.isprintable() else c for c in text)


def decoded(text: str) -> str:
    """Return the id that `encoded` encoded."""
    return unquote(text, errors="strict") if "%" in text else text


def write_runs(folder: Path, runs: Mapping[str, Run], qrels: Qrels) -> list[Path]:
    """Write a TREC file an arm, and the judgments as qrels.trec, into a folder; return their paths."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written: list[Path] = []
        for arm, run in runs.items():
            written.append(folder / f"{arm.replace('/', '_')}.trec")
            written[-1].write_text(rendered_run(run, arm), encoding="utf-8")
        written.append(folder / "qrels.trec")
        written[-1].write_text(rendered_trec_qrels(qrels), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be written ({error.strerror}); give a folder.") from None
    return written
