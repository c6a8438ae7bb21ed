"""A model folder as a loader may see it: what a model is made of, and nothing that runs code."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import ModelError
from retrieval.model_folder import TOKENIZER, Recipe
from retrieval.model_source import SourceModel

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TOKENIZER_FILES = ("vocab.txt", "special_tokens_map.json", "added_tokens.json", TOKENIZER)
SHARDS = "model.safetensors.index.json"
CONFIGS = (
    "config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
)


def stage(model: SourceModel, staged: Path) -> Path:
    """Write a view of the folder: its configurations without the keys that make a loader run code, the rest linked."""
    stage_configs(model, staged)
    if (model.path / SHARDS).is_file():
        (staged / SHARDS).write_text(json.dumps(model.readable_config(SHARDS)), encoding="utf-8")
    for name in (*TOKENIZER_FILES, *model.weight_files()):
        if (model.path / name).is_file():
            (staged / name).symlink_to((model.path / name).resolve())
    return staged


def stage_configs(model: SourceModel, staged: Path) -> None:
    """Write the configurations of every module, rewritten; neither weights nor tokenizer."""
    folders = list(dict.fromkeys(["", *(folder for _, folder in model.modules)]))
    for folder in folders:
        (staged / folder).mkdir(parents=True, exist_ok=True)
    modules = [
        {"idx": number, "name": str(number), "path": folder, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, folder) in enumerate(model.modules)
    ]
    (staged / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    for name in (*CONFIGS, *(f"{folder}/config.json" for folder in folders if folder)):
        if (model.path / name).is_file():
            (staged / name).write_text(json.dumps(model.readable_config(name)), encoding="utf-8")


def load_staged(
    model: SourceModel, recipe: Recipe, scratch: Path, *, device: str = "cpu", attention: str | None = None
) -> "SentenceTransformer":
    """Load a model from a staged copy in `scratch`, in float32 and ready to encode; ModelError if it cannot be.

    `attention` names one of transformers' implementations; by default it chooses. Raises ImportError without torch.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    staged = stage(model, scratch / "model")
    options: dict[str, object] = {"dtype": torch.float32, "use_safetensors": True}
    if attention:
        options["attn_implementation"] = attention
    try:
        pipeline = SentenceTransformer(
            str(staged), device=device, model_kwargs=options, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises many kinds for a model it cannot build
        raise ModelError(
            f"{model.path} cannot be loaded by sentence-transformers: {error}. Its files may be cut short or of "
            "another kind: copy the model again, or choose another."
        ) from error
    pipeline.max_seq_length = recipe.max_tokens
    return pipeline.eval()
