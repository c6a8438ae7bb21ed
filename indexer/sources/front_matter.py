"""The fields at the top of a Markdown file: YAML between ---, TOML between +++, or a JSON object. Never fails."""

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from indexer.sources.safe_yaml import loaded_yaml
from retrieval.types import JsonValue

MAX_CHARACTERS = 65_536
_OPENING = re.compile(r"\s*(---|\+\+\+)[ \t]*\n")
_PAIR = re.compile(r"([A-Za-z_][\w.-]*)[ \t]*(?::(?:[ \t]+|$)|=[ \t]*)(.*)")
_TITLE = re.compile(r"(?m)^title[ \t]*:[ \t]*([^\s'\"|>&*!\[{#][^#\n]*?)[ \t]*(?:[ \t]#.*)?$")
_KEY_LINE = re.compile(r"[A-Za-z_][\w.-]*[ \t]*[:=]")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A file split in two. `error` says why the fields are only what could be saved, and is empty otherwise."""

    fields: dict[str, JsonValue]
    body: str
    error: str = ""


def split_front_matter(text: str) -> FrontMatter:
    """Return the fields of a text and its body; a text without front matter is all body.

    Broken front matter gives the `key: value` lines that can be read, the body, and the error.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return _json_front_matter(text)
    fence = opening[1]
    close = re.compile(rf"(?m)^{re.escape(fence)}[ \t]*$" + (r"|^\.\.\.[ \t]*$" if fence == "---" else ""))
    closing = close.search(text, opening.end())
    if closing is None:
        return _unterminated(text, opening.end(), fence)
    raw = text[opening.end() : closing.start()]
    if fence == "---" and not _looks_like_fields(raw):
        return FrontMatter({}, text)
    fields, error = _parsed(raw, fence)
    return FrontMatter(fields, text[closing.end() :], error)


def _parsed(raw: str, fence: str) -> tuple[dict[str, JsonValue], str]:
    if len(raw) > MAX_CHARACTERS:
        return _salvaged(raw[:MAX_CHARACTERS]), f"it is longer than {MAX_CHARACTERS:,} characters"
    try:
        loaded = loaded_yaml(raw) if fence == "---" else _json(tomllib.loads(raw))
    except (ValueError, RecursionError) as error:
        return _salvaged(raw), " ".join(str(error).split())[:300] or type(error).__name__
    if loaded is None:
        return {}, ""
    if not isinstance(loaded, dict):
        return _salvaged(raw), f"it is a {type(loaded).__name__}, not fields with values"
    return _with_title_as_written(loaded, raw), ""


def _with_title_as_written(fields: dict[str, JsonValue], raw: str) -> dict[str, JsonValue]:
    """Keep a title such as 1.10, No or 2024-01-01 as its letters: YAML would make another value of it."""
    title = fields.get("title")
    if title is None or isinstance(title, str | list | dict):
        return fields
    written = _TITLE.search(raw)
    return {**fields, "title": written[1] if written else str(title)}


def _looks_like_fields(raw: str) -> bool:
    """Tell front matter from prose between two horizontal rules: it has a key where a line begins, and early."""
    lines = [line for line in raw[:MAX_CHARACTERS].split("\n") if line.strip() and not line.startswith("#")]
    return not lines or any(_KEY_LINE.match(line) or line[0] in "{\"'?&!" for line in lines[:5])


def _unterminated(text: str, start: int, fence: str) -> FrontMatter:
    """Take the leading run of key lines of front matter that never ends; without any, all is body."""
    lines = text[start : start + MAX_CHARACTERS].split("\n")
    count = next((n for n, line in enumerate(lines) if not _continues(line)), len(lines))
    if not count or not _PAIR.match(lines[0]):
        return FrontMatter({}, text)
    raw = "\n".join(lines[:count])
    return FrontMatter(_salvaged(raw), text[start + len(raw) :], f"its closing {fence} is missing")


def _continues(line: str) -> bool:
    return bool(line.strip()) and (line[0] in " \t-" or _PAIR.match(line) is not None)


def _salvaged(raw: str) -> dict[str, JsonValue]:
    """Return the lines that are plainly one key and one value."""
    saved: dict[str, JsonValue] = {}
    for line in raw.split("\n"):
        pair = _PAIR.fullmatch(line.rstrip())
        if pair and pair[2] and pair[2][0] not in "|>&*{":
            saved.setdefault(pair[1], _value(pair[2]))
    return saved


def _value(written: str) -> JsonValue:
    if written.startswith("[") and written.endswith("]"):
        return [part.strip().strip("\"'") for part in written[1:-1].split(",") if part.strip()]
    if written[0] in "\"'":
        end = written.rfind(written[0], 1)
        return written[1:end] if end > 0 else written[1:]
    return {"true": True, "false": False}.get(written, written)


def _json_front_matter(text: str) -> FrontMatter:
    if not re.match(r"\{\s*\n?\s*\"", text):
        return FrontMatter({}, text)
    try:
        fields, end = json.JSONDecoder().raw_decode(text[:MAX_CHARACTERS])
    except (ValueError, RecursionError):
        return FrontMatter({}, text)
    is_alone = text[end : end + 1] in ("", "\n")
    return FrontMatter(_json(fields), text[end:]) if is_alone else FrontMatter({}, text)


def _json(value: Any) -> Any:
    """Return TOML's or JSON's values as JSON values: dates as ISO 8601."""
    if isinstance(value, dict):
        return {str(name): _json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_json(inner) for inner in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value
