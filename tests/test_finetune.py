"""Fine-tuning a tiny real transformer: what comes out, that it comes out the same however it is interrupted, and when
nothing does. All trainings run in one child; see tests/finetune_scenarios.py.
"""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_transformer import build_tiny_transformer, tiny_training_set
from trainer.finetuning import Finetuned, TrainingInterrupted, estimate_in_subprocess, finetune_in_subprocess
from trainer.finetuning.in_subprocess import environment_of
from trainer.finetuning.progress import Progress, Stage
from trainer.training_set import TrainingSettings

pytestmark = [
    pytest.mark.slow,  # torch takes ten seconds to import, and is imported a dozen times
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("sentence_transformers", "peft", "datasets")),
        reason="needs the extra train",
    ),
]

Found = dict[str, Any]


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What came of every scenario, by name."""
    command = [sys.executable, "-m", "tests.finetune_scenarios", str(tmp_path_factory.mktemp("trainings"))]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parents[1]
    child = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, check=False)
    assert child.returncode == 0, child.stderr[-2000:]
    found: Found = json.loads(child.stdout)
    return found


def test_a_tuned_model_is_a_folder_like_the_bases_with_other_weights(scenarios: Found) -> None:
    training = scenarios["a_training"]
    assert training["code"] == 0
    assert training["files"] == sorted([*training["base_files"], "tandem-training.json"])
    assert (training["shapes_kept"], training["changed"], training["kinds"]) == (True, True, ["torch.float32"])
    assert (training["same_tokenizer"], training["prompt"]) == (True, "find ")
    assert training["left"] == []


def test_the_folder_ranks_dev_as_its_provenance_says(scenarios: Found) -> None:
    training = scenarios["a_training"]
    result = training["result"]
    assert training["ranked_again"] == pytest.approx(result["dev"][f"{result['lambda']:g}"], abs=1e-6)


def test_the_provenance_says_where_the_model_comes_from(scenarios: Found) -> None:
    training = scenarios["a_training"]
    result = training["result"]
    assert training["kept"] == result
    assert result["format"] == "tandem-trained-model/1"
    assert result["base"] == {"name": "tiny", "fingerprint": training["fingerprint"]}
    assert (result["method"], result["pairs"], result["dev_queries"], result["seed"]) == ("full", 48, 18, 0)
    assert result["sources"] == {"mined:heading": 16, "mined:title": 32}
    assert result["settings"]["learning_rate"] == 3e-3
    assert [step for step, _ in result["dev_curve"]] == [0, 4, 8, 12]
    assert result["dev"].keys() == {"0", "0.25", "0.5", "0.75", "1"}
    assert result["dev"]["0"] == result["dev_curve"][0][1]
    assert result["dev"]["1"] == max(mean for step, mean in result["dev_curve"] if step)
    assert result["dev"][f"{result['lambda']:g}"] == max(result["dev"].values())
    assert 0 < result["gain_error"] < 1
    assert result["pairs_per_s"] > 0
    assert result["versions"].keys() >= {"tandem-search", "torch", "sentence-transformers", "transformers"}
    assert Finetuned.of(Path("out"), result).gain == result["dev"]["1"] - result["dev"]["0"]


def test_it_tells_how_far_it_is_and_how_long_it_will_take_before_the_first_step(scenarios: Found) -> None:
    training = scenarios["a_training"]
    steps = ["training", "ranking"] * 3
    assert training["stages"] == ["loading", "ranking", *steps, "mixing", "writing"]
    assert training["first_estimate"] > 0


def test_the_same_training_gives_the_same_bytes(scenarios: Found) -> None:
    assert scenarios["again"]["same"]
    assert scenarios["again"]["same_dev"]


def test_an_output_that_is_whole_is_taken_as_it_is_or_not_touched(scenarios: Found) -> None:
    again = scenarios["again"]
    assert again["resumed"]
    assert "exists; remove it or name another folder" in again["exists"]["error"]
    assert "trained on other data, base or share" in again["another"]["error"]


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bytes(scenarios: Found) -> None:
    killed = scenarios["killed"]
    assert killed["ends"] == [-9] * 5
    # After step 7; while the checkpoint of step 8 is written; while that of step 8, now whole, is ranked.
    assert killed["checkpoints"] == [["checkpoint-4"], ["checkpoint-4"], ["checkpoint-4", "checkpoint-8"]]
    assert not killed["there_before_its_time"]
    assert (killed["code"], killed["same"], killed["gone"]) == (0, True, True)
    assert killed["same_result"] == {"dev": True, "dev_curve": True, "lambda": True}
    assert not killed["trained_again"]


def test_a_training_that_is_told_to_stop_saves_the_step_and_goes_on_to_the_same_bytes(scenarios: Found) -> None:
    stopped = scenarios["stopped"]
    # By SIGTERM after a step, by SIGINT while dev is ranked, and because nobody reads what it says any more.
    assert stopped["codes"] == [75, 75, 75, 1, 0]
    assert stopped["checkpoints"] == ["checkpoint-4", "checkpoint-6"]
    assert stopped["same"]
    assert "is of another training" in stopped["other"]["error"]


def test_low_rank_changes_are_merged_into_a_model_of_the_same_shape(scenarios: Found) -> None:
    lora = scenarios["low_rank"]
    assert (lora["shapes_kept"], lora["loads"]) == (True, [1, 32])
    linear = ["attention.output.dense", "attention.self.key", "attention.self.query", "attention.self.value"]
    names = [*linear, "intermediate.dense", "output.dense"]
    assert lora["changed"] == [f"encoder.layer.{layer}.{name}.weight" for layer in (0, 1) for name in names]
    assert lora["result"]["dev"]["1"] == max(mean for _, mean in lora["result"]["dev_curve"])
    assert (lora["codes"], lora["same"]) == ([-9, 0], True)


def test_pairs_teach_what_the_base_does_not_know(scenarios: Found) -> None:
    good = scenarios["worse"]["good"]
    assert good["dev"]["1"] > good["dev"]["0"] + 0.2
    assert good["dev"]["1"] - good["dev"]["0"] > 2 * good["gain_error"]


def test_threads_of_a_training_sleep_while_they_wait_unless_somebody_wants_them_otherwise() -> None:
    assert environment_of({"HOME": "/home"})["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment_of({"OMP_WAIT_POLICY": "ACTIVE"})["OMP_WAIT_POLICY"] == "ACTIVE"
    assert environment_of({"HF_HUB_OFFLINE": "0"})["HF_HUB_OFFLINE"] == "1"


def test_shuffled_passages_leave_the_base_as_it_is(scenarios: Found) -> None:
    worse = scenarios["worse"]["worse"]
    assert worse["dev"]["1"] < worse["dev"]["0"]
    assert (worse["lambda"], worse["gain_error"]) == (0.0, 0.0)
    assert scenarios["worse"]["files"] == ["tandem-training.json"]


def test_memory_is_measured_and_bounds_what_is_embedded_at_a_time(scenarios: Found) -> None:
    memory = scenarios["memory"]
    one, four = memory["bytes"]
    assert 3.5 * one < four < 4.5 * one
    assert scenarios["a_training"]["result"]["mini_batch"] == 0
    assert 0 < memory["little"]["mini_batch"] <= 8


def test_where_memory_runs_out_training_goes_on_from_the_last_checkpoint_in_smaller_parts(scenarios: Found) -> None:
    memory = scenarios["memory"]
    assert memory["halved"]["mini_batch"] == 4
    assert memory["steps"] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize(("name", "mini_batch"), [("plain", 0), ("cached", 8)])
def test_steps_may_be_computed_in_half_precision_but_dev_never_is(scenarios: Found, name: str, mini_batch: int) -> None:
    half = scenarios["half"][name]
    assert half["seen"] == [[False, False], [True, True]]
    assert half["mini"] == mini_batch
    assert half["dev"]["0"] == scenarios["a_training"]["result"]["dev"]["0"]
    assert half["dev"]["1"] != scenarios["a_training"]["result"]["dev"]["1"]


def test_training_stops_when_ranking_gets_no_better(scenarios: Found) -> None:
    early = scenarios["others"]["early"]
    assert early["stopped_early"]
    trained = [mean for step, mean in early["dev_curve"] if step]
    assert trained[-1] <= max(trained[:-1])
    assert early["dev_curve"][-1][0] < 36


def test_a_share_of_the_pairs_takes_as_much_less_steps(scenarios: Found) -> None:
    half = scenarios["others"]["share"]
    assert (half["share"], half["pairs"], half["dev_curve"][-1][0]) == (0.5, 24, 6)


def test_dimensions_can_be_nested(scenarios: Found) -> None:
    assert scenarios["others"]["matryoshka"]["settings"]["matryoshka"] == [16, 8]
    assert scenarios["others"]["matryoshka"]["dev"] != scenarios["a_training"]["result"]["dev"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong_base", "was made with 'tiny'"),
        ("no_set", "training.json is missing"),
        ("one_group", "All pairs are of one group"),
        ("held", "is held by `finetune_scenarios.py"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(scenarios: Found, name: str, said: str) -> None:
    assert said in scenarios["others"][name]["error"]


def test_an_estimate_takes_real_steps_and_writes_nothing(scenarios: Found) -> None:
    estimate = scenarios["others"]["estimate"]["estimate"]
    assert (estimate["steps"], estimate["pairs"]) == (12, 48)
    assert estimate["seconds"] >= estimate["training_s"] + estimate["ranking_s"] > 0
    assert scenarios["others"]["written"] == []


def test_the_trainer_takes_our_batches_with_the_models_prompts(scenarios: Found) -> None:
    batches = scenarios["batches"]
    assert batches["taken"]
    assert batches["columns"] == ["negative_0_input_ids", "passage_input_ids", "query_input_ids"]
    assert batches["prompts"] == {"query": "find ", "passage": "text ", "negative_0": "text "}
    assert (batches["prompted"], batches["encoded"]) == ("find", 0.0)


def test_the_loss_is_what_it_is_by_hand(scenarios: Found) -> None:
    # As in test_query_adapter.py, with weights .5 and 1.5: the mean of both.
    first = math.log(1 + math.exp(-2))
    second = math.log(math.exp(-2) + 1 + math.exp(-0.4))
    losses = scenarios["losses"]
    assert losses["by_hand"] == pytest.approx((0.5 * first + 1.5 * second) / 2, rel=1e-5)
    total = math.log(math.exp(1) + 1 + math.exp(0.6) + math.exp(0.8))
    assert losses["by_shares"] == pytest.approx((total - (0.75 * 1 + 0.25 * 0.6)) / 2, rel=1e-5)
    # 16 pairs weigh .5 and 32 weigh 1, .8333 in the mean.
    assert losses["weights"] == pytest.approx([1.0, 0.5 / (40 / 48)])


def test_a_column_is_embedded_in_parts_of_like_length_to_the_same_vectors(scenarios: Found) -> None:
    losses = scenarios["losses"]
    assert losses["parts_apart"] < 1e-5
    assert losses["parts"] == sorted(losses["parts"], reverse=True)
    assert losses["parts"][-1] < losses["parts"][0] == losses["whole"]
    assert losses["left_padded_at_once"] == [losses["whole"]]


def test_embedding_a_few_texts_at_a_time_changes_neither_loss_nor_gradients(scenarios: Found) -> None:
    losses = scenarios["losses"]
    assert losses["cached"] == pytest.approx(losses["plain"], rel=1e-5)
    assert losses["gradients_apart"] < 1e-5 * max(1.0, losses["gradients"])
    assert losses["nested"][0] == pytest.approx(losses["nested"][1], rel=1e-5)
    assert losses["nested_apart"] < 1e-4


def test_a_parent_without_torch_trains_interrupts_and_goes_on(tmp_path: Path) -> None:
    base = build_tiny_transformer(tmp_path / "base")
    settings = TrainingSettings(epochs=4, batch_size=8, learning_rate=3e-3, evaluations=3)
    tiny_training_set(base, settings).write(tmp_path / "set")
    paths = (tmp_path / "set", base)
    measured: list[int] = []
    estimate = estimate_in_subprocess(*paths, on_progress=lambda at: measured.append(at.step))
    assert measured == sorted(measured)
    assert 4 <= measured[-1] <= 8
    assert (estimate.steps, estimate.pairs) == (24, 48)
    whole = finetune_in_subprocess(*paths, tmp_path / "whole")

    def interrupt(progress: Progress) -> None:
        if progress.stage is Stage.TRAINING and progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted, match="--resume"):
        finetune_in_subprocess(*paths, tmp_path / "other", on_progress=interrupt)
    assert not (tmp_path / "other").exists()
    other = finetune_in_subprocess(*paths, tmp_path / "other", resume=True)
    assert (other.dev, other.curve, other.share) == (whole.dev, whole.curve, whole.share)
    if not whole.keeps_base:
        weights = [(folder / "model.safetensors").read_bytes() for folder in (tmp_path / "whole", tmp_path / "other")]
        assert weights[0] == weights[1]
    assert "torch" not in sys.modules
