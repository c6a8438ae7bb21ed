"""tandem evaluate"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, note, opened, print_json, table
from retrieval.types import JsonValue
from trainer.arms import DEFAULT_ARMS, parse_arms
from trainer.evaluation_set import EvaluationSet

if TYPE_CHECKING:
    from trainer.evaluate import ArmResult


def evaluate(
    context: typer.Context,
    queries: Annotated[Path, typer.Option("--queries", metavar="JSONL", help='A line a query: {"_id", "text"}.')],
    qrels: Annotated[
        Path, typer.Option("--qrels", metavar="FILE", help="Judgments: BEIR's TSV with its header, or TREC qrels.")
    ],
    arms: Annotated[
        str, typer.Option(metavar="ARM,...", help="What to compare; embedding and hybrid also as ARM@VERSION.")
    ] = DEFAULT_ARMS,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Measure how well each way to search ranks the documents that judged queries want."""
    from trainer.evaluate import evaluate as run_evaluation

    judged = EvaluationSet.read(queries, qrels)
    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        compared = parse_arms(arms, target.config.model)
        for concern in judged.concerns(opened_home.catalog.documents.keys(target)):
            note(f"Warning: {concern}")
        results = run_evaluation(
            opened_home,
            target,
            judged,
            compared,
            on_arm=lambda arm: note(f"Ranking {len(judged.queries)} queries with {arm}"),
        )
    if as_json:
        print_json({"arms": {str(result.arm): _body(result) for result in results}})
    else:
        _print_table(results)


def _body(result: "ArmResult") -> dict[str, JsonValue]:
    return {**result.measures, "queries": result.queries}


def _print_table(results: Sequence["ArmResult"]) -> None:
    header = ["ARM", *(name.upper() for name in results[0].measures), "QUERIES"]
    rows = [
        [str(result.arm), *(f"{value:.4f}" for value in result.measures.values()), str(result.queries)]
        for result in results
    ]
    table([[row[0], *(c.rjust(len(t)) for c, t in zip(row[1:], header[1:], strict=True))] for row in rows], header)
