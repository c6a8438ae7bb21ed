"""Arms: the ways to search that an evaluation compares, written keyword, embedding@VERSION, hybrid@VERSION."""

from dataclasses import dataclass

from retrieval.errors import ModelError, UsageError
from retrieval.types import Mode

REFERENCE = "reference-bm25"
DEFAULT_ARMS = f"{REFERENCE},keyword,embedding,hybrid"
_WITH_MODEL = (Mode.EMBEDDING.value, Mode.HYBRID.value)
_WITHOUT_MODEL = (REFERENCE, Mode.KEYWORD.value)


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to search. `version` is the embedding model's, and empty where no model takes part."""

    kind: str
    version: str = ""

    @property
    def mode(self) -> Mode | None:
        """The search mode; None for the reference, which is no search of Tandem's."""
        return None if self.kind == REFERENCE else Mode(self.kind)

    def __str__(self) -> str:
        return f"{self.kind}@{self.version}" if self.version else self.kind


def parse_arms(written: str, active: str) -> tuple[Arm, ...]:
    """Read arms separated by commas, each once; one that needs a model and names none gets the `active` version.

    Raises UsageError for what is no arm, and ModelError where there is no active version to fill in.
    """
    return tuple(dict.fromkeys(_arm(part.strip(), active) for part in written.split(",")))


def _arm(written: str, active: str) -> Arm:
    kind, at, version = written.partition("@")
    if kind not in (*_WITH_MODEL, *_WITHOUT_MODEL) or (at and (kind in _WITHOUT_MODEL or not version)):
        raise UsageError(
            f"{written!r} is not an arm; write {', '.join(_WITHOUT_MODEL)}, "
            f"{' or '.join(f'{kind}[@VERSION]' for kind in _WITH_MODEL)}, with commas between them."
        )
    if kind in _WITHOUT_MODEL:
        return Arm(kind)
    if not version and not active:
        raise ModelError(
            f"The arm {written!r} means the collection's model, and it has none yet: `tandem ingest` gives it one."
        )
    return Arm(kind, version or active)
