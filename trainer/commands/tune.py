"""tandem tune"""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.console import (
    DEFAULT,
    CollectionOption,
    HomeOption,
    JsonOption,
    finite,
    note,
    opened,
    print_json,
    print_line,
    table,
)
from retrieval.errors import UsageError
from retrieval.types import JsonValue, Mode
from trainer.arms import parse_arms
from trainer.commands.asked import JudgmentsOption, QrelsOption, QueriesOption, asked, from_files
from trainer.findings import MINIMUM_EFFECT

if TYPE_CHECKING:
    from retrieval.catalog import Collection
    from retrieval.home import Home
    from trainer.adoption import Change
    from trainer.evaluation_set import EvaluationSet
    from trainer.tune import Tuning


def tune(
    context: typer.Context,
    queries: QueriesOption = None,
    qrels: QrelsOption = None,
    judgments: JudgmentsOption = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="How many parts the queries are divided into.")] = 5,
    minimum_effect: Annotated[
        float, typer.Option(min=0.0, max=0.5, callback=finite, help="The least gain of nDCG@10 worth having.")
    ] = MINIMUM_EFFECT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be adopted, and change nothing.")] = False,
    revert: Annotated[bool, typer.Option("--revert", help="Go back to the settings before the last adoption.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Decides which queries share a part.")] = 0,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Choose the fusion and BM25's parameters by judged queries, and adopt only what proves better."""
    from trainer.tune import Plan
    from trainer.tune import tune as run_tuning

    if revert and (queries or qrels or judgments or dry_run):
        raise UsageError("--revert needs no judged queries and has no --dry-run; give it alone.")
    read = from_files(queries, qrels, judgments)
    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        if revert:
            _revert(opened_home, target, as_json=as_json)
            return
        parse_arms(Mode.HYBRID, target.config.model)
        judged, name = asked(read, opened_home.catalog, target, judgments)
        _warn_of_mined(judged)
        plan = Plan(folds, minimum_effect, seed)
        found = run_tuning(opened_home, target, judged, plan, on_weighing=_tell)
        change = None
        if found.is_better and not dry_run:
            change = _adopt(opened_home, target, found, judged, name)
    if as_json:
        print_json(_body(found, change, judged.source_counts))
    else:
        _print(found, change)


def _tell(done: int, total: int) -> None:
    note(f"Ranking with k1 and b {done + 1} of {total}")


def _warn_of_mined(judged: "EvaluationSet") -> None:
    if judged.mined:
        note(
            f"Warning: {judged.mined} of the {len(judged.queries)} queries are mined: each seeks the one document it "
            "was made from, often by its own words. Settings that suit them need not suit what people ask."
        )


def _adopt(home: "Home", target: "Collection", found: "Tuning", judged: "EvaluationSet", name: str) -> "Change":
    from trainer.adoption import adopt

    return adopt(home, target, found, name, judged.source_counts)


def _revert(home: "Home", target: "Collection", *, as_json: bool) -> None:
    from dataclasses import asdict

    from trainer.adoption import revert

    change = revert(home, target)
    if as_json:
        print_json({"reverted": change is not None, **({} if change is None else asdict(change))})
    elif change is None:
        print_line(f"Nothing to revert: no settings of {target.name!r} were adopted by tuning.")
    else:
        print_line(f"Reverted to {change.after}; it was {change.before}.")
        _print_index(change)


def _body(found: "Tuning", change: "Change | None", sources: Counter[str]) -> dict[str, JsonValue]:
    from trainer.adoption import evidence

    index = {} if change is None else {"weighed_again": change.chunks, "index_busy": change.busy}
    return {"adopted": change is not None, **evidence(found), "sources": dict(sources), **index}


def _print(found: "Tuning", change: "Change | None") -> None:
    rows = [[str(fold.queries), f"{fold.before:.4f}", f"{fold.after:.4f}", str(fold.chosen)] for fold in found.folds]
    table(rows, ["HELD OUT", "PRESENT", "CHOSEN", "CHOSEN BY THE OTHER QUERIES"])
    print_line()
    _print_verdict(found, change)


def _print_verdict(found: "Tuning", change: "Change | None") -> None:
    print_line(f"Present settings:      {found.before}; nDCG@10 {found.mean_before:.4f}.")
    print_line(f"Chosen by all queries: {found.after}; chosen so, queries held out reach {found.mean_after:.4f}.")
    told = " ".join(found.reasons)
    if change is not None:
        print_line(f"Adopted: {told}")
        _print_index(change)
        print_line("`tandem tune --revert` goes back.")
    elif found.is_better:
        print_line(f"Would be adopted: {told}")
    else:
        from trainer.wording import outlook

        print_line(f"Not adopted: {told} {outlook(found.more_queries)}".rstrip())


def _print_index(change: "Change") -> None:
    if change.busy:
        print_line("Another process holds the index and weighs it again by itself, or else whoever opens it next does.")
    elif change.chunks:
        print_line(f"The keyword index was weighed again: {change.chunks} chunks.")
