"""How much memory a batch takes to train on, measured on a few texts, against how much there is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from trainer.finetuning.tuned_model import TunedModel

SHARE = 0.5
"""Of the memory that is available, what the activations of a batch may take; the rest is for all else."""
SAMPLE = 2
"""Texts that are embedded to learn what one takes."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"))


def mini_batch_for(model: TunedModel, texts: Sequence[str], rows: int, *, batch_size: int) -> int:
    """Return how many texts to embed at a time while `rows` texts like the longest are in a batch; 0 for all."""
    longest = sorted(texts, key=len, reverse=True)[:SAMPLE]
    bytes_each = activation_bytes(model.pipeline, longest) / len(longest)
    fitting = int(SHARE * available_bytes(model.pipeline.device) / max(bytes_each, 1.0))
    if rows <= fitting:
        return 0
    mini_batch = batch_size
    while mini_batch > max(1, fitting):
        mini_batch //= 2
    return max(1, mini_batch)


def activation_bytes(model: SentenceTransformer, texts: Sequence[str]) -> int:
    """Return the bytes that embedding these texts keeps for the way back, the model's own weights not counted."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    features = on_device(model.preprocess(list(texts)), model.device)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(features)["sentence_embedding"]
    del output
    return sum(kept.values())


def available_bytes(device: torch.device) -> int:
    """Return the memory that is free on a device: on the processor, also within the limit of a container."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil  # type: ignore[import-untyped]

    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int(file.read_text()) for file in _LIMITS)
    except (OSError, ValueError):  # no container, or one without a limit
        return free
    return min(free, max(0, limit - used))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether torch ran out of memory, on a GPU or on the processor."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def on_device(features: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Return the features of texts with their tensors on a device."""
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in features.items()}
