"""What a sentence-transformers folder says about its model, read without torch and without trusting the folder."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError
from retrieval.model_folder import TOKENIZER, Precision, Recipe, read_json, sha256_of

MODULES = ("Transformer", "Pooling", "Normalize", "Dense", "LayerNorm")
"""The sentence-transformers modules that can be exported."""

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_LOADS_CODE = ("auto_map", "model_args", "tokenizer_args", "config_args", "model_kwargs", "processor_kwargs")
_VOLATILE = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures", "use_cache")
_POOLING_FLAG = re.compile(r"pooling_mode_(?P<mode>.+?)(_tokens?)?")
# A default prompt is for models that give no role its own.
_ROLES = ("query", "document", "passage", "corpus")
# These count positions from the padding id, so the last ones of max_position_embeddings cannot be reached.
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "mpnet", "camembert")


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A model folder to export from. `modules` are (class name, sub-folder) in order."""

    path: Path
    modules: Sequence[tuple[str, str]]

    @classmethod
    def read(cls, path: Path) -> "SourceModel":
        """Read and check the folder; ModelError if it is incomplete, unsupported or unsafe."""
        if not path.is_dir():
            raise ModelError(f"{path} is not a folder; name a folder that holds a sentence-transformers model.")
        source = cls(path, _modules(path))
        source._check_weights()
        return source

    def recipe(self, precision: Precision = Precision.FLOAT32) -> Recipe:
        """Return how this model makes vectors. Reads every byte of the weights."""
        prompts = self._prompts()
        return Recipe(
            weights=_digest({name: sha256_of(self.path / name) for name in self.weight_files()}),
            tokenizer=_digest({file.name: sha256_of(file) for file in self._tokenizer_files()}),
            config=_digest(self._configs()),
            pooling=self._pooling(),
            normalize=any(kind == "Normalize" for kind, _ in self.modules),
            query_prompt=_first(prompts, "query"),
            passage_prompt=_first(prompts, "document", "passage", "corpus"),
            max_tokens=self._max_tokens(),
            precision=precision,
        )

    def weight_files(self) -> list[str]:
        """The safetensors files, relative to the folder, sorted."""
        folders = {self.path / folder for _, folder in self.modules}
        return sorted(file.relative_to(self.path).as_posix() for f in folders for file in f.glob("*.safetensors"))

    def files(self) -> list[str]:
        """Every file that the model can be trained and exported from, relative to the folder, sorted."""
        told = [file.relative_to(self.path).as_posix() for file in [*self._tokenizer_files(), *self._jsons()]]
        return sorted({*self.weight_files(), *told})

    def stamp(self) -> str:
        """Changes when a file of the folder does: sizes and times of modification, not contents."""
        names = sorted([*self.weight_files(), *(file.relative_to(self.path).as_posix() for file in self._jsons())])
        stats = {name: (self.path / name).stat() for name in names}
        return _digest({name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()})

    def readable_config(self, relative: str) -> dict[str, Any]:
        """A JSON file of the folder without the keys that make a loader run code; empty if it is absent."""
        file = _inside(self.path, relative)
        content = read_json(file) if file.is_file() else {}
        if not isinstance(content, dict):
            raise ModelError(f"{file} is not a JSON object; copy or download the model again.")
        return {key: value for key, value in content.items() if key not in _LOADS_CODE}

    def _check_weights(self) -> None:
        if (self.path / "adapter_config.json").exists():
            raise ModelError(f"{self.path} is an adapter; merge it into its base model and save that, then try again.")
        for kind, folder in self.modules:
            if kind in {"Transformer", "Dense", "LayerNorm"} and not list((self.path / folder).glob("*.safetensors")):
                raise ModelError(_no_weights(self.path / folder))
        if not self._tokenizer_files():
            raise ModelError(f"{self.path} has neither {TOKENIZER} nor vocab.txt; save the model with its tokenizer.")
        if not (self.path / "config.json").is_file():
            raise ModelError(f"{self.path} has no config.json; save the whole model with save_pretrained.")

    def _tokenizer_files(self) -> list[Path]:
        names = (TOKENIZER,) if (self.path / TOKENIZER).is_file() else ("vocab.txt",)
        return [self.path / name for name in names if (self.path / name).is_file()]

    def _jsons(self) -> list[Path]:
        folders = {self.path, *(self.path / folder for _, folder in self.modules)}
        return sorted(file for folder in folders for file in folder.glob("*.json"))

    def _configs(self) -> Mapping[str, Any]:
        """What shapes the computation: the architecture and the modules, without what only records who saved them."""
        kept: dict[str, Any] = {}
        for kind, folder in self.modules:
            config = self.readable_config(f"{folder}/config.json" if folder else "config.json")
            if kind != "Pooling":
                config = {key: value for key, value in config.items() if key not in _VOLATILE}
                kept[f"{kind} {folder}"] = config
        return {"modules": [kind for kind, _ in self.modules], "lower": self._lowers(), **kept}

    def _lowers(self) -> bool:
        return bool(self.readable_config("sentence_bert_config.json").get("do_lower_case", False))

    def _pooling(self) -> str:
        folders = [folder for kind, folder in self.modules if kind == "Pooling"]
        config = self.readable_config(f"{folders[0]}/config.json") if folders else {}
        if config.get("include_prompt", True) is False:
            raise ModelError(
                f"{self.path} leaves its prompt out of pooling, which is not supported; use another model."
            )
        modes = config.get("pooling_mode") or [
            match["mode"] for key, on in config.items() if on and (match := _POOLING_FLAG.fullmatch(key))
        ]
        return "+".join([modes] if isinstance(modes, str) else sorted(map(str, modes))) or "mean"

    def _prompts(self) -> Mapping[str, str]:
        config = self.readable_config("config_sentence_transformers.json")
        prompts = config.get("prompts") or {}
        if not isinstance(prompts, dict) or not all(isinstance(text, str | None) for text in prompts.values()):
            raise ModelError(f"{self.path} has prompts that are not texts; mend config_sentence_transformers.json.")
        named = {name: text for name, text in prompts.items() if text}
        default = named.get(str(config.get("default_prompt_name")), "")
        return {**named, "": "" if named.keys() & set(_ROLES) else default}

    def _max_tokens(self) -> int:
        config = self.readable_config("config.json")
        positions = config.get("max_position_embeddings")
        if isinstance(positions, int) and config.get("model_type") in _OFFSET_POSITIONS:
            positions -= int(config.get("pad_token_id") or 1) + 1
        limits = [
            self.readable_config("sentence_bert_config.json").get("max_seq_length"),
            self.readable_config("tokenizer_config.json").get("model_max_length"),
            positions,
        ]
        # transformers writes 1e30 for "no limit".
        known = [int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit <= 1_000_000]
        if not known:
            raise ModelError(
                f"{self.path} does not say how many tokens it takes; set max_seq_length and save it again."
            )
        return min(known)


def _modules(path: Path) -> list[tuple[str, str]]:
    file = path / "modules.json"
    if not file.is_file():
        return [("Transformer", ""), ("Pooling", "1_Pooling")] if (path / "config.json").is_file() else []
    raw = read_json(file)
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw) or not raw:
        raise ModelError(f"{file} is not a list of modules; copy or download the model again.")
    modules = [(_module_kind(file, str(item.get("type"))), str(item.get("path", ""))) for item in raw]
    for _, folder in modules:
        _inside(path, folder)
    if modules[0] != ("Transformer", ""):
        raise ModelError(f"{file} starts with {modules[0]}; only models with a Transformer in their own folder work.")
    return modules


def _module_kind(file: Path, type_name: str) -> str:
    kind = type_name.rpartition(".")[2]
    if not type_name.startswith("sentence_transformers.") or kind not in MODULES:
        raise ModelError(f"{file} has the unsupported module {type_name!r}; supported are {', '.join(MODULES)}.")
    return kind


def _inside(root: Path, relative: str) -> Path:
    if Path(relative).is_absolute() or ".." in Path(relative).parts or "\\" in relative:
        raise ModelError(f"{root} refers to {relative!r}, outside its own folder; do not use this model.")
    return root / relative


def _no_weights(folder: Path) -> str:
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if pickles:
        return (
            f"{folder} holds its weights only as {pickles[0]}, a pickle, which can run code when it is opened; "
            "save the model as safetensors (save_pretrained does) and add that."
        )
    return f"{folder} has no safetensors weights; name the folder of a whole sentence-transformers model."


def _first(prompts: Mapping[str, str], *names: str) -> str:
    return next((prompts[name] for name in names if name in prompts), prompts[""])


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
