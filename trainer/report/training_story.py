"""Was it worth it, how sure is that, what did it cost, what to do next: a training in sentences."""

from collections.abc import Iterator

from trainer.findings import Comparison, Verdict
from trainer.report.figures import duration, interval, points, queries
from trainer.report.next_steps import next_steps
from trainer.report.reading import all_mined, mined
from trainer.training.findings import TrainingReport
from trainer.training.learning_curve import outlook

MANY_DROPPED = 0.5


def headline(found: TrainingReport) -> str:
    """Answer in one line whether fine-tuning was worth it."""
    main = found.comparison
    if main is None and found.choice.is_chance:
        return "Not worth it: the pairs look wrong, for chance would find their answers as well"
    if main is None:
        return "Not worth it: nothing that was tuned ranked better than the model there is"
    if main.verdict is Verdict.BETTER and found.canary is None:
        return "Perhaps: better here, but nobody asked what the tuned model forgot"
    if main.verdict is Verdict.BETTER and not found.may_be_promoted:
        return "Not yet: better here, but the tuned model forgot what it knew of everything else"
    return {
        Verdict.BETTER: f"Worth it{_on_mined(found)}: hybrid search ranks better with the tuned model",
        Verdict.WORSE: "Not worth it: hybrid search ranks worse with the tuned model",
        Verdict.NO_DIFFERENCE: "Not worth it: fine-tuning makes no difference worth having to hybrid search",
        Verdict.CANNOT_TELL: "Not proven: nobody can tell yet whether fine-tuning pays here",
    }[main.verdict]


def _on_mined(found: TrainingReport) -> str:
    return " on mined queries" if all_mined(found.report) else ""


def was_it_worth_it(found: TrainingReport) -> Iterator[str]:
    """Say what fine-tuning brought over plain hybrid search, and over the embedding alone."""
    main = found.comparison
    if main is None and found.choice.is_chance:
        yield (
            f"Neither {found.base} nor what was tuned ranked {queries(found.choice.queries)} held out for choosing "
            f"clearly better than chance would: {found.base} is kept, and nothing else was measured."
        )
        return
    if main is None:
        yield (
            f"No share of the tuned model ranked {queries(found.choice.queries)} held out for choosing better than the "
            f"base does: {found.base} is kept, and nothing else was measured."
        )
        return
    yield f"Over plain hybrid search it brought {_effect(main)}."
    if found.embedding is not None:
        yield f"Over embedding search alone it brought {_effect(found.embedding)}; that decides nothing."
        yield from _swallowed(main, found.embedding, found.report.minimum_effect)
    yield from _forgot(found)


def _effect(comparison: Comparison) -> str:
    contrast = comparison.contrast
    return f"{points(contrast.effect)} points of nDCG@10 (95 % interval {interval(contrast.low, contrast.high)})"


def _swallowed(main: Comparison, embedding: Comparison, minimum: float) -> Iterator[str]:
    if embedding.contrast.effect >= minimum and main.contrast.effect < embedding.contrast.effect / 2:
        yield (
            "Hybrid search gained less than half of what the embedding did: most of what the tuned model learned, "
            "keywords knew."
        )


def _forgot(found: TrainingReport) -> Iterator[str]:
    if canary := found.canary:
        effect = canary.contrast.effect
        moved = f"On {queries(canary.contrast.queries)} about {canary.name} the embedding moved {points(effect)} points"
        forgot = "that is too much forgotten, and vetoes a promotion" if canary.is_vetoed else "it forgot nothing much"
        yield f"{moved}: {forgot}."


def how_sure(found: TrainingReport) -> Iterator[str]:
    """Say what the answer rests on."""
    main, report = found.comparison, found.report
    asked = sum(report.sources.values())
    if main is None:
        yield f"It rests on {queries(found.choice.queries)} held out of the pairs, not on judged queries."
    else:
        yield from main.reasons
    if made := mined(report):
        people = "none of them was asked by a reader" if made == asked else f"{asked - made} were asked by readers"
        yield f"Of {queries(asked)} that judge, {made} are mined: {people}."
    yield (
        "No document that a judging query wants was given as an answer in training. Held out to choose by: "
        f"{found.pairs.held_out}."
    )
    if main is not None and found.tried > 1:
        yield (
            f"{found.tried} tuned models were compared on these judgments so far, this one included: the more are "
            "tried, the likelier it is that chance makes one look better."
        )
    yield from found.pairs.concerns


def what_it_cost(found: TrainingReport) -> Iterator[str]:
    """Say what the training took, and what keeping the model would."""
    total = sum(found.seconds.values())
    steps = ", ".join(f"{name} {duration(seconds)}" for name, seconds in found.seconds.items() if seconds >= 1)
    yield f"{duration(total)} on {found.device}" + (f": {steps}." if steps else ".")
    if found.pairs_per_s:
        yield f"Fine-tuning went through {found.pairs_per_s:.1f} pairs a second."
    if found.comparison is None:
        return
    if found.method == "adapter":
        yield "The passages keep their vectors: nothing is embedded again."
    else:
        yield "While it is a candidate, each chunk has a second vector; a query costs what it did before."


def what_next(found: TrainingReport) -> Iterator[str]:
    """Say what to do next, the decision first."""
    main = found.comparison
    if found.may_be_promoted:
        if all_mined(found.report):
            yield "First bring queries that people asked (`tandem judgments import`), and compare again: all are mined."
        yield f"Promote it: `tandem models promote {found.version}`; `tandem models rollback` goes back at once."
    elif main is not None and main.verdict is Verdict.BETTER:
        yield (
            "Keep the base; train for fewer epochs, more slowly, or on more kinds of pairs, to forget less."
            if found.canary
            else f"First ask what it forgot: `tandem compare hybrid@{found.base} hybrid@{found.version}`."
        )
    if main is None:
        yield f"Leave it: keep {found.base}."
        if found.choice.is_chance:
            yield "Read some pairs (`tandem pairs stats --samples 20`): are these the answers to these queries?"
    elif main.verdict is not Verdict.BETTER:
        yield from next_steps(found.report)
    if said := outlook(found.curve):
        yield said
    yield from _data(found)
    if not found.may_be_promoted:
        yield "Tune the fusion, which costs minutes: `tandem tune`."


def _data(found: TrainingReport) -> Iterator[str]:
    dropped, in_all = sum(found.pairs.dropped.values()), found.pairs.in_all
    if dropped > MANY_DROPPED * in_all:
        yield (
            f"{dropped} of {in_all} possible pairs were dropped while mining: `tandem pairs stats` says why, and "
            "`tandem audit` what is wrong with the documents."
        )
