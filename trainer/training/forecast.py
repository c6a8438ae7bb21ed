"""What a training would be trained on, and how long it would take: nothing is kept but mined pairs and embeddings."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from retrieval.catalog import Collection
from retrieval.home import Home
from trainer.evaluation_set import EvaluationSet
from trainer.finetuning import estimate_in_subprocess
from trainer.training.pair_audit import concerns
from trainer.training.plan import Plan
from trainer.training.preparation import Preparation, share_allowed
from trainer.training.telling import Telling
from trainer.training_set import Method

SAMPLE = 64


@dataclass(frozen=True, slots=True)
class Forecast:
    """Pairs by source, what chooses and what judges, and seconds by step."""

    sources: Mapping[str, int]
    dev_queries: int
    test_queries: int
    left_out: Mapping[str, int]
    concerns: tuple[str, ...]
    seconds: Mapping[str, float]


def forecast(home: Home, collection: Collection, judged: EvaluationSet, plan: Plan, telling: Telling) -> Forecast:
    """Make the training set of a plan, and measure a few steps and passages. Raises what the training would."""
    about = Preparation(home, collection, judged, plan, telling)
    found = about.split()
    training_set = about.assembled(found)
    telling.step("Taking a few steps to see how long it will take")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "set"
        training_set.write(folder)
        takes = estimate_in_subprocess(folder, home.models.source(plan.start), on_progress=telling.tuning)
    share = share_allowed(plan, takes, len(training_set.pairs))
    alone_s = replace(plan, curve=()).seconds(takes, share)
    seconds = {"fine-tuning": alone_s, "learning curve": plan.seconds(takes, share) - alone_s}
    if plan.settings.method is not Method.ADAPTER:
        seconds["embedding"] = _embedding_s(home, collection)
    taken = training_set.share(max(share, 1e-9))
    return Forecast(
        taken.sources,
        len(training_set.dev),
        len(found.test.queries),
        found.left_out,
        tuple(concerns(found)),
        {name: value for name, value in seconds.items() if value},
    )


def _embedding_s(home: Home, collection: Collection) -> float:
    """Return the seconds that embedding every chunk takes, by some of them."""
    texts = next(iter(home.catalog.chunks.all_texts(collection)), [])
    sample = [text.chunk.embedding_text(text.title) for text in islice(texts, 0, None, max(1, len(texts) // SAMPLE))]
    encoder = home.encoder(collection)
    encoder.encode_passages(sample[:8])
    started = time.monotonic()
    encoder.encode_passages(sample)
    chunks = home.catalog.chunks.lengths(collection)[0]
    return (time.monotonic() - started) / max(1, len(sample)) * chunks
