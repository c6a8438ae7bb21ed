"""What evaluate, compare and tune share: the judged queries they ask, from files or from the catalog."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.judgments import DEFAULT_JUDGMENTS
from retrieval.console import note
from retrieval.errors import UsageError
from trainer.evaluation_set import EvaluationSet
from trainer.voting import JUDGMENTS as VOTES

QueriesOption = Annotated[
    Path | None, typer.Option("--queries", metavar="JSONL", help='A line a query: {"_id", "text"}.')
]
QrelsOption = Annotated[
    Path | None, typer.Option("--qrels", metavar="FILE", help="Judgments: BEIR's TSV with its header, or TREC qrels.")
]
JudgmentsOption = Annotated[
    str | None,
    typer.Option(
        "--judgments", metavar="NAME", help="A judgment set of the collection, if not the one it has. [default]"
    ),
]


def from_files(queries: Path | None, qrels: Path | None, name: str | None) -> EvaluationSet | None:
    """Read the judged queries of two files; None without files. UsageError for one file alone, or files and a name."""
    if queries is None and qrels is None:
        return None
    if queries is None or qrels is None:
        given, missing = ("--qrels", "--queries") if queries is None else ("--queries", "--qrels")
        raise UsageError(f"{given} was given without {missing}; judged queries need both files.")
    if name is not None:
        raise UsageError("--judgments was given beside files; give either files or the name of a judgment set.")
    return EvaluationSet.read(queries, qrels)


def asked(
    read: EvaluationSet | None, catalog: Catalog, collection: Collection, name: str | None
) -> tuple[EvaluationSet, str]:
    """Return the judged queries with the name of their set ("" for files), telling what is doubtful about them.

    Without files and name, it is the set called default, or the only one that votes did not make.
    """
    found, known_as = (read, "") if read is not None else _from_catalog(catalog, collection, name)
    for concern in found.concerns(catalog.documents.keys(collection)):
        note(f"Warning: {concern}")
    return found, known_as


def _from_catalog(catalog: Catalog, collection: Collection, name: str | None) -> tuple[EvaluationSet, str]:
    names = [known.name for known in catalog.judgments.list(collection) if known.name != VOTES]
    if name is None and DEFAULT_JUDGMENTS not in names and len(names) > 1:
        raise UsageError(
            f"Collection {collection.name!r} has several judgment sets; give --judgments {names[0]} "
            f"(or {', '.join(names[1:])})."
        )
    chosen = name or (names[0] if len(names) == 1 else DEFAULT_JUDGMENTS)
    return EvaluationSet.of(catalog.judgments.get(collection, chosen), chosen), chosen
