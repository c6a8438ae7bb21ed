"""Embed a column of a batch in parts of like length: on a processor, padding costs as much as text does.

The vectors are those of the whole column. On a GPU a batch is embedded at once: there, few large steps are better.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

PART = 8
"""Texts embedded at a time on a processor."""


def embedded_columns(model: nn.Module, columns: Iterable[Mapping[str, Any]]) -> list[Tensor]:
    """Return the vectors (b, d) of each column of features, keeping what the way back needs."""
    return [embedded(model, features) for features in columns]


def embedded(model: nn.Module, features: Mapping[str, Any]) -> Tensor:
    """Return the vectors (b, d) of a column whose tensors are (b, longest), padded on the right."""
    mask: Tensor = features["attention_mask"]
    if mask.device.type != "cpu" or len(mask) <= PART or not _is_cut_safely(features, mask):
        found: Tensor = model(dict(features))["sentence_embedding"]
        return found
    lengths = mask.sum(dim=1)
    order = torch.argsort(lengths, descending=True, stable=True)
    vectors = [
        model(_part(features, rows, int(lengths[rows].max())))["sentence_embedding"]
        for rows in torch.split(order, PART)
    ]
    return torch.cat(vectors)[torch.argsort(order)]


def _is_cut_safely(features: Mapping[str, Any], mask: Tensor) -> bool:
    is_right_padded = bool((mask.sort(dim=1, descending=True).values == mask).all())
    return is_right_padded and all(value.shape == mask.shape for value in features.values() if torch.is_tensor(value))


def _part(features: Mapping[str, Any], rows: Tensor, longest: int) -> dict[str, Any]:
    return {name: value[rows, :longest] if torch.is_tensor(value) else value for name, value in features.items()}
