"""tandem evaluate"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, note, opened, print_json, table
from retrieval.types import JsonValue
from trainer.arms import DEFAULT_ARMS, parse_arms
from trainer.commands.asked import JudgmentsOption, QrelsOption, QueriesOption, asked, from_files

if TYPE_CHECKING:
    from trainer.evaluate import ArmResult


def evaluate(
    context: typer.Context,
    queries: QueriesOption = None,
    qrels: QrelsOption = None,
    judgments: JudgmentsOption = None,
    arms: Annotated[
        str, typer.Option(metavar="ARM,...", help="What to compare; embedding and hybrid also as ARM@VERSION.")
    ] = DEFAULT_ARMS,
    runs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write each arm's ranking there, and the qrels, for TREC tools."),
    ] = None,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Measure how well each way to search ranks the documents that judged queries want."""
    from trainer.evaluate import evaluate as run_evaluation

    read = from_files(queries, qrels, judgments)
    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        compared = parse_arms(arms, target.config.model)
        judged, name = asked(read, opened_home.catalog, target, judgments)
        count = len(judged.queries)
        if judged.masks:
            note(f"{len(judged.masks)} of {count} queries are mined; what gives them away is hidden in their documents")
        results = run_evaluation(
            opened_home,
            target,
            judged,
            compared,
            keep_as=name,
            on_arm=lambda arm: note(f"Ranking {count} queries with {arm}"),
        )
    if runs is not None:
        from trainer.trec import write_runs

        write_runs(runs, {str(result.arm): result.run for result in results}, judged.qrels)
        note(f"Wrote {len(results)} runs and qrels.trec to {runs}")
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
