"""The model while it is tuned: what of it is trained, its weights by name, and how they are kept."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch import Tensor
from transformers import set_seed
from transformers.utils import logging

from retrieval.errors import ModelError
from retrieval.model_source import SourceModel
from trainer.staging import TOKENIZER_FILES, load_staged, stage_configs
from trainer.training_set import Method

Weights = dict[str, Tensor]

WEIGHTS = "trained.safetensors"
"""Of a checkpoint: the parameters that are trained, and no others."""
RANK = 16
"""Of the changes that `lora` learns, for every linear layer; they are added at twice their size."""


class TunedModel:
    """A sentence-transformers model whose weights, or low-rank changes of them, are trained."""

    def __init__(self, source: SourceModel, scratch: Path, *, method: Method, device: str = "cpu") -> None:
        """Load the base in float32. Raises ModelError, or ImportError without torch."""
        self.source = source
        self.recipe = source.recipe()
        self.pipeline: SentenceTransformer = load_staged(source, self.recipe, scratch, device=device)
        self.base = self.weights()
        self._is_low_rank = method is Method.LORA
        self._initial: Weights = {}
        if self._is_low_rank:
            _add_low_rank(self.pipeline)
            self._initial = {name: tensor.detach().clone() for name, tensor in self._trained().items()}

    def reset(self) -> None:
        """Return to the state before training."""
        if self._is_low_rank:
            self._take(self._initial)
        else:
            self.set_weights(self.base)

    def weights(self) -> Weights:
        """Return a copy of every weight of a plain model, on the processor."""
        state = self.pipeline.state_dict()
        return {name: tensor.detach().cpu().clone() for name, tensor in state.items() if tensor.is_floating_point()}

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Give a plain model these weights."""
        self.pipeline.load_state_dict(dict(weights), strict=False)  # whole numbers, such as positions, are not trained

    def save_trained(self, folder: Path) -> None:
        """Write the trained parameters into a checkpoint's folder."""
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in self._trained().items()}, folder / WEIGHTS
        )

    def load_trained(self, folder: Path) -> None:
        """Take the trained parameters from a checkpoint's folder."""
        self._take(load_file(folder / WEIGHTS))

    def merge(self) -> None:
        """Add low-rank changes to the weights that they change; the model is plain from then on."""
        if self._is_low_rank:
            _merge_low_rank(self.pipeline)
            self._is_low_rank = False

    def write(self, folder: Path) -> None:
        """Write a sentence-transformers folder: these weights in float32, all else as the base has it."""
        stage_configs(self.source, folder)
        for name in TOKENIZER_FILES:
            if (self.source.path / name).is_file():
                shutil.copyfile(self.source.path / name, folder / name)
        _name_precision(folder / "config.json")
        for module, (_, place) in zip(self.pipeline, self.source.modules, strict=True):
            if next(module.parameters(), None) is not None:
                _write_weights(module, folder / place)

    def _take(self, kept: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self._trained().items():
                parameter.copy_(kept[name])

    def _trained(self) -> Weights:
        return {name: tensor for name, tensor in self.pipeline.named_parameters() if tensor.requires_grad}


def prepare(seed: int) -> str:
    """Seed every generator, ask for the same results every time and for silence; return the device to train on."""
    set_seed(seed)
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # The trainer would spread every batch over all GPUs, and the loss would see a part of it.
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    if not torch.cuda.is_available():
        return "cpu"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    return "cuda"


def trains_in_half() -> bool:
    """Tell whether steps are computed in bfloat16: on a GPU that can."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


@contextmanager
def half_while_training(pipeline: SentenceTransformer) -> Iterator[None]:
    """Compute in bfloat16 where that is faster, but only what is trained on: dev is ranked as it will be served."""
    if not trains_in_half():
        yield
        return
    exact = pipeline.forward

    def forward(*arguments: Any, **named: Any) -> Any:
        with torch.autocast(pipeline.device.type, torch.bfloat16, enabled=pipeline.training):
            return exact(*arguments, **named)

    # On the module itself: gradient caching embeds again on the way back, outside of what the trainer wraps.
    pipeline.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        del pipeline.forward


def _add_low_rank(pipeline: SentenceTransformer) -> None:
    """Add changes of low rank to every linear layer of the transformer, and train nothing else (LoRA)."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ModelError(f"`lora` needs peft ({error}): pip install 'tandem-search[train]'.") from None
    transformer = pipeline.transformers_model
    if transformer is None:
        raise ModelError("The base has no transformer, whose layers `lora` changes; train with the method full.")
    for parameter in pipeline.parameters():
        parameter.requires_grad_(False)
    # Not by the model's own add_adapter: it would be a model with an adapter ever after, also when that is merged.
    changes = LoraConfig(r=RANK, lora_alpha=2 * RANK, lora_dropout=0.0, target_modules="all-linear")
    inject_adapter_in_model(changes, transformer)


def _merge_low_rank(pipeline: SentenceTransformer) -> None:
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(pipeline.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(pipeline.get_submodule(parent), child, layer.get_base_layer())
    for parameter in pipeline.parameters():
        parameter.requires_grad_(True)


def _write_weights(module: torch.nn.Module, folder: Path) -> None:
    """Write a module's weights under the names that its loader looks for."""
    scratch = folder / "saved"
    module.save(str(scratch))  # type: ignore[operator]  # every module of sentence-transformers has it
    for file in scratch.glob("*.safetensors"):
        file.replace(folder / file.name)
    shutil.rmtree(scratch)


def _name_precision(file: Path) -> None:
    """Say of the weights that they are float32; a loader would otherwise take them down to what the base had."""
    config = {key: value for key, value in json.loads(file.read_text(encoding="utf-8")).items() if key != "torch_dtype"}
    file.write_text(json.dumps({**config, "dtype": "float32"}), encoding="utf-8")
