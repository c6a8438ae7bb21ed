"""What a training leaves: a model, or a map over its base's queries, and beside it how it came about."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from retrieval.errors import ModelError
from retrieval.model_folder import checked_provenance, read_json
from retrieval.query_map import QUERY_MAP
from retrieval.types import JsonValue

PROVENANCE = "tandem-training.json"
FORMAT = "tandem-trained-model/1"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A folder whose provenance has been read; what else is in it has not been looked at."""

    path: Path
    provenance: Mapping[str, JsonValue]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check what the training says of itself; ModelError if that is malformed, or it kept its base."""
        file = path / PROVENANCE
        provenance = checked_provenance(read_json(file), file)
        if provenance.get("format") != FORMAT:
            raise ModelError(
                f"{file} has format {json.dumps(provenance.get('format'))[:60]}; this Tandem reads {FORMAT}. "
                "Train the model again, or upgrade Tandem."
            )
        trained = cls(path, provenance)
        trained._check_base()
        if not trained.is_adapter and not (path / "config.json").is_file():
            raise ModelError(f"The training in {path} kept its base model, so there is no model to add.")
        return trained

    @property
    def is_adapter(self) -> bool:
        """Whether it is a map over its base's queries rather than a model of its own."""
        return (self.path / QUERY_MAP).is_file()

    @property
    def base_name(self) -> str:
        """What the base was called where it was trained."""
        return str(self.provenance["base"]["name"])

    @property
    def base_fingerprint(self) -> str:
        """Which model the base was."""
        return str(self.provenance["base"]["fingerprint"])

    def _check_base(self) -> None:
        base = self.provenance.get("base")
        if not isinstance(base, dict) or not all(isinstance(base.get(key), str) for key in ("name", "fingerprint")):
            raise ModelError(f"{self.path / PROVENANCE} does not name its base model; train it again.")
