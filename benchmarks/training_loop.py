"""What does our training loop cost beside sentence-transformers' own trainer with its plain ranking loss?

Both train the default model on the same pairs with the same arguments, an epoch each, in turn: A B A B. Ours also lays
out batches by group and length, leaves out what may be false negatives, weighs pairs, reports, and saves checkpoints;
neither ranks dev queries. The pairs are claims with their abstracts, and another abstract as a negative.

    python -m benchmarks.training_loop [--pairs 256] [--repeats 3] [--set FOLDER]
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from benchmarks.harness import SHARED_DATA, Report, Spread, interleaved, parser, progress, table, target
from benchmarks.homes import exported_model
from retrieval.encoder import OnnxEncoder
from retrieval.model_finding import find_source, hub_id
from retrieval.settings import DEFAULT_MODEL
from trainer.finetuning.contrastive import device_name, run_steps, schedule_of
from trainer.finetuning.pace import Pace
from trainer.finetuning.progress import Reporter
from trainer.finetuning.ranking import Ranking
from trainer.finetuning.ranking_trainer import arguments, dataset, prompts
from trainer.finetuning.tuned_model import TunedModel, prepare
from trainer.finetuning.workplace import Plan, Workplace
from trainer.training_set import BaseVectors, DevQuery, HalfArray, TrainingPair, TrainingSet, TrainingSettings

NAME = "training_loop"
TARGET = 0.9
SCIFACT = SHARED_DATA / "scifact-dev"
SETTINGS = TrainingSettings(epochs=1, negatives=1, temperature=0.0)


def claims(limit: int) -> list[tuple[str, str, str]]:
    """Return claims of SciFact with their abstract, and the number of the abstract."""
    texts = {}
    for line in (SCIFACT / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        texts[record["_id"]] = f"{record['title']}\n{record['text']}"
    lines = (SCIFACT / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = {record["_id"]: record["text"] for record in map(json.loads, lines)}
    judged = [line.split("\t") for line in (SCIFACT / "qrels" / "train.tsv").read_text().splitlines()[1:]]
    return [(queries[query], texts[document], document) for query, document, _ in judged][:limit]


def made_set(limit: int) -> TrainingSet:
    """Return a training set of claims, with the default model's vectors."""
    found = claims(limit)
    negatives = [found[(place + len(found) // 2) % len(found)][1] for place in range(len(found))]
    pairs = [
        TrainingPair(claim, abstract, (negative,), "human", 1.0, group)
        for (claim, abstract, group), negative in zip(found, negatives, strict=True)
    ]
    encoder = OnnxEncoder.load(exported_model())

    def halves(texts: list[str]) -> HalfArray:
        return np.asarray(encoder.encode_passages(texts), np.float16)

    vectors = BaseVectors(
        halves([pair.query for pair in pairs]),
        halves([pair.passage for pair in pairs]),
        halves(negatives)[:, None],
    )
    dev = [DevQuery(pairs[0].query, (0,))]
    return TrainingSet(DEFAULT_MODEL, encoder.fingerprint, SETTINGS, pairs, dev, [pairs[0].passage], vectors)


def loaded(training_set: TrainingSet, scratch: Path) -> TunedModel:
    """Return the model before training."""
    prepare(training_set.settings.seed)
    return TunedModel(find_source(hub_id(DEFAULT_MODEL)), scratch, method=training_set.settings.method)


def ours(training_set: TrainingSet) -> float:
    """Train with our loop; return pairs a second."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Workplace(Path(folder) / "tuned", Plan("", "", 1.0), resume=False) as place,
    ):
        model = loaded(training_set, place.scratch)
        place.decide_mini_batch(0)
        ranking = Ranking(model, training_set, place, Pace(), Reporter(StringIO()))

        def train() -> int:
            schedule = replace(schedule_of(model, training_set), evaluations=())
            run_steps(model, training_set, schedule, ranking, place)
            return sum(map(len, schedule.steps))

        return _pairs_a_second(train)


def plain(training_set: TrainingSet) -> float:
    """Train with sentence-transformers alone; return pairs a second."""
    with tempfile.TemporaryDirectory() as folder:
        model = loaded(training_set, Path(folder))

        def train() -> int:
            SentenceTransformerTrainer(
                model=model.pipeline,
                args=arguments(training_set.settings, Path(folder), prompts(model, training_set)),
                train_dataset=dataset(training_set).remove_columns("label"),
                loss=MultipleNegativesRankingLoss(model.pipeline, scale=training_set.settings.scale),
            ).train()
            return len(training_set.pairs) * training_set.settings.epochs

        return _pairs_a_second(train)


def _pairs_a_second(train: Callable[[], int]) -> float:
    began = time.perf_counter()
    pairs = train()
    return pairs / (time.perf_counter() - began)


def main() -> None:
    """Measure, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--pairs", type=int, default=256)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--set", type=Path, help="a training set made with the default model, in place of SciFact")
    given = options.parse_args()
    progress("Reading the pairs")
    training_set = TrainingSet.read(given.set) if given.set else made_set(given.pairs)
    progress("A few steps to warm up")
    plain(training_set.share(min(1.0, 2 * SETTINGS.batch_size / len(training_set.pairs))))
    progress(f"{len(training_set.pairs)} pairs; measuring in turn")
    mine, theirs = interleaved(given.repeats, lambda: ours(training_set), lambda: plain(training_set))
    ratio = Spread.of([a / b for a, b in zip(mine, theirs, strict=True)])
    rows = [
        ["our loop", Spread.of(mine).shown()],
        ["sentence-transformers' trainer", Spread.of(theirs).shown()],
        ["share", ratio.shown()],
    ]
    settings = training_set.settings
    what = (
        f"{len(training_set.pairs)} pairs of {training_set.base_name} with {settings.negatives} negatives, batches of "
        f"{settings.batch_size}, {settings.epochs} epochs; {given.repeats} runs of each, in turn. On "
        f"{device_name(prepare(settings.seed))}."
    )
    parts = [what, table(["", "pairs/s"], rows)]
    parts.append(target("Share of the plain trainer's pairs a second", ratio.median, TARGET, at_least=True))
    Report(NAME, "Our training loop against the plain one", parts, ("torch", "sentence-transformers")).write(given.out)


if __name__ == "__main__":
    main()
