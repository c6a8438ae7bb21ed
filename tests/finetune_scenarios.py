"""Trainings of the tiny transformer, run by tests/test_finetune.py in one child: torch takes seconds to import.

Each training is a fork of this process, so that it can be killed; what came of all of them is printed as JSON.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import peft  # noqa: F401  # before the forks, as everything that takes long to import
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from retrieval.model_source import SourceModel
from tests.tiny_transformer import build_tiny_transformer, tiny_training_set
from trainer import finetune
from trainer.finetuning import contrastive, dry_run, memory, tuned_model  # noqa: F401
from trainer.finetuning.batches import Schedule
from trainer.finetuning.dev_ranking import dev_values
from trainer.finetuning.parts import PART, embedded
from trainer.finetuning.progress import Reporter
from trainer.finetuning.ranking import Ranking, encode
from trainer.finetuning.ranking_loss import Own, PairDetails, pair_loss, ranking_loss
from trainer.finetuning.ranking_trainer import RankingTrainer, prompts
from trainer.finetuning.tuned_model import TunedModel, prepare
from trainer.finetuning.workplace import Plan, Workplace
from trainer.training_set import Method, TrainingSet, TrainingSettings

Hook = Callable[[ExitStack], object]
SHORT = TrainingSettings(epochs=2, batch_size=8, learning_rate=3e-3, negatives=1, evaluations=3)
"""Twelve steps, ranked after the 4th, the 8th and the last."""
LONG = replace(SHORT, epochs=8, learning_rate=1e-2)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a training ended: its exit code, negative for a signal, and the JSON lines it printed."""

    code: int
    lines: Sequence[dict[str, Any]]

    @property
    def last(self) -> dict[str, Any]:
        return self.lines[-1] if self.lines else {}

    @property
    def result(self) -> dict[str, Any]:
        return dict(self.last.get("result", self.last))

    def stages(self) -> list[str]:
        """The stages it went through, each named once in a row."""
        named = [line["progress"]["stage"] for line in self.lines if "progress" in line]
        return [name for name, before in zip(named, [None, *named], strict=False) if name != before]


def run(*arguments: object, hook: Hook = lambda _: None) -> Ended:
    """Run a training in a fork, after `hook` has changed what it has to."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writing, 1)
        sys.stdout = os.fdopen(1, "w")
        with ExitStack() as stack:
            hook(stack)
            code = finetune.main([str(argument) for argument in arguments])
        sys.stdout.flush()
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as stream:
        lines = [json.loads(line) for line in stream]
    _, status = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), lines)


def signalled(owner: type, name: str, number: signal.Signals, *, when: Callable[..., bool]) -> Hook:
    """A signal to the training itself, as soon as a method of it is called with such arguments."""
    original = getattr(owner, name)

    def called(*arguments: Any, **named: Any) -> Any:
        if when(*arguments):
            os.kill(os.getpid(), number)
        return original(*arguments, **named)

    return lambda stack: stack.enter_context(patch.object(owner, name, called))


def at_step(number: int, sent: signal.Signals) -> Hook:
    """A signal after this step."""
    return signalled(Ranking, "report_step", sent, when=lambda _self, step, _steps: step == number)


class Scenarios:
    """All trainings, in one folder; each method returns what its test looks at."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = build_tiny_transformer(root / "base")
        self.sets: dict[str, Path] = {}
        self.whole = self.train("whole", SHORT)

    def set_of(self, name: str, settings: TrainingSettings, base: Path | None = None) -> Path:
        folder = self.root / f"{name}.set"
        tiny_training_set(base or self.base, settings).write(folder)
        return folder

    def train(self, name: str, settings: TrainingSettings, *options: str, hook: Hook = lambda _: None) -> Ended:
        return run(self.set_of(name, settings), self.base, self.root / name, *options, hook=hook)

    def weights(self, name: str) -> bytes:
        return (self.root / name / "model.safetensors").read_bytes()

    def files(self, name: str) -> list[str]:
        return sorted(path.relative_to(self.root / name).as_posix() for path in (self.root / name).rglob("*.*"))

    def a_training(self) -> dict[str, Any]:
        tuned, base = (load_file(self.root / name / "model.safetensors") for name in ("whole", "base"))
        copied = [name for name in self.files("base") if not name.endswith((".safetensors", "config.json"))]
        return {
            "code": self.whole.code,
            "stages": self.whole.stages(),
            "first_estimate": next(line["progress"]["seconds_left"] for line in self.whole.lines[1:]),
            "result": self.whole.result,
            "kept": json.loads((self.root / "whole/tandem-training.json").read_text()),
            "fingerprint": SourceModel.read(self.base).recipe().fingerprint,
            "files": self.files("whole"),
            "base_files": self.files("base"),
            "same_tokenizer": all(
                (self.root / "whole" / name).read_bytes() == (self.base / name).read_bytes()
                for name in copied
                if name in {"vocab.txt", "tokenizer.json"}
            ),
            "shapes_kept": {name: list(one.shape) for name, one in tuned.items()}
            == {name: list(one.shape) for name, one in base.items()},
            "kinds": sorted({str(one.dtype) for one in tuned.values()}),
            "changed": any(not torch.equal(tuned[name], base[name]) for name in base),
            "prompt": SourceModel.read(self.root / "whole").recipe().query_prompt,
            "ranked_again": self._ranked_again(),
            "left": [path.name for path in self.root.iterdir() if "partial" in path.name],
        }

    def again(self) -> dict[str, Any]:
        again = run(self.root / "whole.set", self.base, self.root / "again")
        return {
            "same": self.weights("again") == self.weights("whole"),
            "same_dev": again.result["dev"] == self.whole.result["dev"],
            "resumed": run(self.root / "whole.set", self.base, self.root / "whole", "--resume").result
            == self.whole.result,
            "exists": run(self.root / "whole.set", self.base, self.root / "whole").last,
            "another": run(self.root / "whole.set", self.base, self.root / "whole", "--resume", "--share", 0.5).last,
        }

    def killed(self) -> dict[str, Any]:
        """Kill a training five times, each time elsewhere, and go on."""
        task = [self.root / "whole.set", self.base, self.root / "killed"]
        partial = self.root / "killed.partial"
        kill = signal.SIGKILL
        ends = [run(*task, hook=at_step(7, kill)).code]
        after_step = sorted(path.name for path in partial.glob("checkpoint-*"))
        saving = signalled(Workplace, "keep_checkpoint", kill, when=lambda _self, step: step == 8)
        ends.append(run(*task, "--resume", hook=saving).code)
        after_saving = sorted(path.name for path in partial.glob("checkpoint-*"))
        ranking = signalled(Ranking, "rank", kill, when=lambda _self, step: step == 8)
        ends.append(run(*task, "--resume", hook=ranking).code)
        after_ranking = sorted(path.name for path in partial.glob("checkpoint-*"))
        mixing = signalled(TunedModel, "set_weights", kill, when=lambda self, weights: weights is not self.base)
        ends.append(run(*task, "--resume", hook=mixing).code)
        writing = signalled(TunedModel, "write", kill, when=lambda _self, _folder: True)
        ends.append(run(*task, "--resume", hook=writing).code)
        is_there = (self.root / "killed").exists()
        last = run(*task, "--resume")
        return {
            "ends": ends,
            "checkpoints": [after_step, after_saving, after_ranking],
            "there_before_its_time": is_there,
            "code": last.code,
            "trained_again": any(line.get("progress", {}).get("stage") == "training" for line in last.lines),
            "same": self.weights("killed") == self.weights("whole"),
            "same_result": {
                name: last.result[name] == self.whole.result[name] for name in ("dev", "dev_curve", "lambda")
            },
            "gone": not partial.exists(),
        }

    def stopped(self) -> dict[str, Any]:
        """Stop by SIGTERM after a step, and while dev is ranked; the parent's end counts as much."""
        task = [self.root / "whole.set", self.base, self.root / "stopped"]
        first = run(*task, hook=at_step(6, signal.SIGTERM))
        checkpoints = sorted(path.name for path in (self.root / "stopped.partial").glob("checkpoint-*"))
        encoding = signalled(Ranking, "rank", signal.SIGINT, when=lambda _self, step: step == 8)
        second = run(*task, "--resume", hook=encoding)

        def deaf(stack: ExitStack) -> None:
            stack.enter_context(patch.object(Reporter, "progress", lambda self, _: setattr(self, "is_stopping", True)))

        third = run(*task, "--resume", hook=deaf)
        other = run(self.root / "whole.set", self.base, self.root / "stopped", "--resume", "--share", 0.5)
        last = run(*task, "--resume")
        return {
            "codes": [first.code, second.code, third.code, other.code, last.code],
            "other": other.last,
            "checkpoints": checkpoints,
            "same": self.weights("stopped") == self.weights("whole"),
        }

    def low_rank(self) -> dict[str, Any]:
        settings = replace(SHORT, method=Method.LORA, learning_rate=2e-2)
        whole = self.train("lora", settings)
        task = [self.root / "lora.set", self.base, self.root / "lora2"]
        codes = [run(*task, hook=at_step(6, signal.SIGKILL)).code, run(*task, "--resume").code]
        tuned, base = (load_file(self.root / name / "model.safetensors") for name in ("lora", "base"))
        changed = sorted(name for name in base if not torch.equal(base[name], tuned[name]))
        loaded = SentenceTransformer(str(self.root / "lora"), device="cpu")
        return {
            "result": whole.result,
            "codes": codes,
            "same": self.weights("lora") == self.weights("lora2"),
            "shapes_kept": {name: list(one.shape) for name, one in tuned.items()}
            == {name: list(one.shape) for name, one in base.items()},
            "changed": changed,
            "loads": list(loaded.encode_query(["ask1 ask2"]).shape),
        }

    def worse(self) -> dict[str, Any]:
        """Train a model that ranks well on pairs whose passages are shuffled."""
        good = self.train("good", LONG).result
        base = self.root / "good"
        made = tiny_training_set(base, replace(LONG, learning_rate=2e-2))
        places = np.roll(np.arange(len(made.pairs)), 7).tolist()
        pairs = [
            replace(pair, passage=made.pairs[place].passage) for pair, place in zip(made.pairs, places, strict=True)
        ]
        replace(made, pairs=pairs).write(self.root / "worse.set")
        worse = run(self.root / "worse.set", base, self.root / "worse").result
        return {"good": good, "worse": worse, "files": self.files("worse")}

    def memory(self) -> dict[str, Any]:
        calls = 0
        original = PairDetails.loss

        def failing(self: PairDetails, *arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 6:
                raise torch.OutOfMemoryError
            return original(self, *arguments, **named)

        def out_of_memory(stack: ExitStack) -> None:
            stack.enter_context(patch.object(PairDetails, "loss", failing))

        model = TunedModel(SourceModel.read(self.base), self.fresh("staged"), method=Method.FULL)
        each = [memory.activation_bytes(model.pipeline, ["ask1 say2 filler3"] * count) for count in (1, 4)]
        halved = self.train("halved", SHORT, hook=out_of_memory)
        return {
            "bytes": each,
            "little": self.train("little", SHORT, hook=_little_memory).result,
            "halved": halved.result,
            "steps": [
                line["progress"]["step"] for line in halved.lines if line.get("progress", {}).get("stage") == "training"
            ],
        }

    def half(self) -> dict[str, Any]:
        """Train in bfloat16, which the processor can do too, and look at what is embedded in what."""
        seen: set[tuple[bool, bool]] = set()
        original = SentenceTransformer.forward

        def forward(self: SentenceTransformer, *arguments: Any, **named: Any) -> Any:
            seen.add((self.training, torch.is_autocast_enabled("cpu")))
            return original(self, *arguments, **named)

        def changed(stack: ExitStack) -> None:
            stack.enter_context(patch.object(tuned_model, "trains_in_half", lambda: True))
            stack.enter_context(patch.object(SentenceTransformer, "forward", forward))
            stack.callback(lambda: Reporter(sys.stdout).line({"seen": sorted(seen)}))

        plain, cached = (
            self.train(name, replace(SHORT, matryoshka=(16,)), hook=hook)
            for name, hook in [("half", changed), ("half_cached", _both(changed, _little_memory))]
        )
        return {
            name: {
                "seen": one.lines[-1]["seen"],
                "dev": one.lines[-2]["result"]["dev"],
                "mini": one.lines[-2]["result"]["mini_batch"],
            }
            for name, one in [("plain", plain), ("cached", cached)]
        }

    def others(self) -> dict[str, Any]:
        elsewhere = build_tiny_transformer(self.root / "elsewhere", seed=1)
        early = self.train("early", replace(SHORT, epochs=6, evaluations=18, patience=1))
        with Workplace(self.root / "held", Plan("", "", 1.0), resume=False):
            held = run(
                *[self.root / "whole.set", self.base, self.root / "held"],
                hook=lambda stack: stack.enter_context(patch("trainer.finetuning.workplace._WAIT_S", 0.1)),
            )
        without = tiny_training_set(self.base, replace(SHORT, negatives=0))
        one_group = replace(without, pairs=[replace(pair, group="one") for pair in without.pairs])
        one_group.write(self.root / "one.set")
        return {
            "matryoshka": self.train("matryoshka", replace(SHORT, matryoshka=(16, 8))).result,
            "share": run(self.root / "whole.set", self.base, self.root / "share", "--share", 0.5).result,
            "early": early.result,
            "wrong_base": run(self.root / "whole.set", elsewhere, self.root / "none").last,
            "no_set": run(self.root / "none.set", self.base, self.root / "none").last,
            "one_group": run(self.root / "one.set", self.base, self.root / "none").last,
            "held": held.last,
            "estimate": run(self.root / "whole.set", self.base, self.root / "none", "--estimate").last,
            "written": [path.name for path in self.root.iterdir() if path.name == "none"],
        }

    def batches(self) -> dict[str, Any]:
        """Compare the batches that the trainer takes with those of the schedule."""
        with Workplace(self.root / "batches", Plan("", "", 1.0), resume=False) as place:
            prepare(0)
            training_set = TrainingSet.read(self.root / "whole.set")
            model = TunedModel(SourceModel.read(self.base), place.scratch, method=Method.FULL)
            schedule = contrastive.schedule_of(model, training_set)
            trainer = _trainer(model, training_set, schedule, place)
            loader: Any = trainer.get_train_dataloader()
            batches: list[dict[str, Any]] = []
            for epoch in range(2):
                loader.set_epoch(epoch)
                batches += loader
            first = model.pipeline.tokenizer.decode(batches[0]["query_input_ids"][0])
            return {
                "taken": [batch["label"].tolist() for batch in batches] == [list(batch) for batch in schedule.steps],
                "columns": sorted(name for name in batches[0] if name.endswith("input_ids")),
                "prompted": str(first).split()[1],
                "prompts": prompts(model, training_set),
                "encoded": float(
                    np.abs(encode(model, ["ask1 ask2"], "find ") - model.pipeline.encode_query(["ask1 ask2"])).max()
                ),
            }

    def losses(self) -> dict[str, Any]:
        """Compute losses whose values are known, and the cached one beside the plain one."""
        documents = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, 0.6]])
        excluded = torch.tensor([[False, False, True, True], [False, False, False, True]])
        whole = Own(torch.tensor([0.5, 1.5]), torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
        by_hand = ranking_loss(torch.eye(2), documents, excluded, whole, scale=2.0)
        shared = Own(torch.tensor([1.0, 0.0]), torch.tensor([[0.75, 0.25], [1.0, 0.0]]))
        by_shares = ranking_loss(torch.eye(2), documents, torch.zeros_like(excluded), shared, scale=1.0)
        training_set = TrainingSet.read(self.root / "whole.set")
        model = TunedModel(SourceModel.read(self.base), self.fresh("staged"), method=Method.FULL)
        rows = torch.tensor([0, 9, 14, 22, 31, 40])
        plain, cached, nested = (
            _loss_and_gradients(model, training_set, rows, mini_batch, sizes)
            for mini_batch, sizes in [(0, ()), (2, ()), (2, (8,))]
        )
        features = model.pipeline.preprocess([pair.passage for pair in training_set.pairs])
        model.pipeline.eval()
        whole_vectors = model.pipeline(dict(features))["sentence_embedding"]
        widths: list[int] = []
        in_parts = embedded(_Watched(model.pipeline, widths), features)
        left_padded = {name: value.flip(1) if torch.is_tensor(value) else value for name, value in features.items()}
        once: list[int] = []
        embedded(_Watched(model.pipeline, once), left_padded)
        nested_plain = _loss_and_gradients(model, training_set, rows, 0, (8,))
        return {
            "by_hand": by_hand.item(),
            "parts_apart": (in_parts - whole_vectors).abs().max().item(),
            "parts": widths,
            "whole": features["attention_mask"].shape[1],
            "left_padded_at_once": once,
            "by_shares": by_shares.item(),
            "weights": [PairDetails(training_set).weights.mean().item(), PairDetails(training_set).weights[0].item()],
            "plain": plain[0],
            "cached": cached[0],
            "gradients_apart": (plain[1] - cached[1]).abs().max().item(),
            "gradients": plain[1].abs().max().item(),
            "nested": [nested[0], nested_plain[0]],
            "nested_apart": (nested[1] - nested_plain[1]).abs().max().item(),
        }

    def _ranked_again(self) -> float:
        """Rank dev with the folder that came out, as anybody would load it."""
        made = TrainingSet.read(self.root / "whole.set")
        model = SentenceTransformer(str(self.root / "whole"), device="cpu")
        queries = model.encode_query([query.query for query in made.dev], normalize_embeddings=True)
        passages = model.encode_document(list(made.passages), normalize_embeddings=True)
        return float(np.mean(dev_values(queries, passages, [query.relevant for query in made.dev])))

    def fresh(self, name: str) -> Path:
        shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root / name).mkdir()
        return self.root / name


def _little_memory(stack: ExitStack) -> None:
    stack.enter_context(patch.object(memory, "available_bytes", lambda _: 2_000_000))


def _both(first: Hook, second: Hook) -> Hook:
    return lambda stack: (first(stack), second(stack))


class _Watched(torch.nn.Module):
    """A model that notes how wide the texts are that it is given."""

    def __init__(self, model: torch.nn.Module, widths: list[int]) -> None:
        super().__init__()
        self.model, self.widths = model, widths

    def forward(self, features: dict[str, Any]) -> Any:
        assert len(features["input_ids"]) <= PART or not self.widths
        self.widths.append(features["input_ids"].shape[1])
        return self.model(features)


def _trainer(model: TunedModel, training_set: TrainingSet, schedule: Schedule, place: Workplace) -> RankingTrainer:
    loss = pair_loss(model.pipeline, training_set, 0)
    return RankingTrainer(model, training_set, schedule, loss, None, place)  # type: ignore[arg-type]  # nothing is ranked


def _loss_and_gradients(
    model: TunedModel, training_set: TrainingSet, rows: torch.Tensor, mini_batch: int, sizes: tuple[int, ...]
) -> tuple[float, torch.Tensor]:
    settings = replace(training_set.settings, matryoshka=sizes)
    loss = pair_loss(model.pipeline, replace(training_set, settings=settings), mini_batch)
    pairs = [training_set.pairs[row] for row in rows]
    texts = [[pair.query for pair in pairs], [pair.passage for pair in pairs], [pair.negatives[0] for pair in pairs]]
    model.pipeline.zero_grad()
    value = loss([model.pipeline.preprocess(column) for column in texts], rows)
    value.backward()
    gradients = [one.grad.flatten() for one in model.pipeline.parameters() if one.grad is not None]
    return value.item(), torch.cat(gradients)


def main() -> None:
    """Run every scenario in the folder named on the command line, and print what came of them."""
    torch.set_num_threads(1)
    scenarios = Scenarios(Path(sys.argv[1]))
    names = (
        "a_training",
        "again",
        "killed",
        "stopped",
        "low_rank",
        "worse",
        "memory",
        "half",
        "others",
        "batches",
        "losses",
    )
    sys.stdout.write(json.dumps({name: getattr(scenarios, name)() for name in names}))


if __name__ == "__main__":
    main()
