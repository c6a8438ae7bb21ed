"""What a document's own fields say about it: title, address, dates, tags; the rest is metadata."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, urljoin, urlsplit

from indexer.sources.base import Item, SourceOptions
from indexer.sources.dates import date_in_path, iso_date
from retrieval.types import JsonValue, Metadata

_CREATED = ("date", "created", "created_at", "published", "published_at", "pubdate", "publishdate", "datepublished")
_UPDATED = (
    "updated",
    "updated_at",
    "lastmod",
    "modified",
    "modified_at",
    "last_modified",
    "last_modified_at",
    "last_updated",
)
_TAGS = ("tags", "categories", "keywords")
_PERMALINKS = ("permalink", "path", "url", "slug")
_ALIASES = ("aliases", "redirect_from")
_DATED_NAME = re.compile(r"\d{4}-\d{1,2}-\d{1,2}[-_ ]+(?=.)")
_FOLDER_PAGES = frozenset({"index", "_index", "readme"})


@dataclass(frozen=True, slots=True)
class Said:
    """What the fields said; `title` is empty where they did not."""

    title: str
    url: str | None
    created: str | None
    updated: str | None
    tags: tuple[str, ...]
    metadata: Metadata


def said_by(fields: Mapping[str, JsonValue], item: Item, options: SourceOptions) -> Said:
    """Sort a document's fields; a date that cannot be read, or an address that is none, stays metadata."""
    left = dict(fields)
    created = _take_date(left, _CREATED) or date_in_path(_permalink(fields) or "") or date_in_path(item.key)
    return Said(
        title=_take_text(left, "title"),
        url=_take_url(left, item, options),
        created=created,
        updated=_take_date(left, _UPDATED),
        tags=_take_tags(left),
        metadata=left,
    )


def permalinks(fields: Mapping[str, JsonValue]) -> Iterator[str]:
    """Give every site path that the fields say leads to the document, its own first."""
    own = _permalink(fields)
    if own:
        yield own
    for name in _ALIASES:
        yield from _listed(fields.get(name))


def humanised(key: str) -> str:
    """Return a title made of a file name: 2015-05-15-first_steps.md is "First steps"; an index has its folder's."""
    path = PurePosixPath(key)
    name = path.name.removesuffix(path.suffix)
    if name.lower() in _FOLDER_PAGES and path.parent.name:
        name = path.parent.name
    words = re.sub(r"[-_\s]+", " ", _DATED_NAME.sub("", name, count=1)).strip() or key
    return words[0].upper() + words[1:]


def web_address(text: str) -> str | None:
    """Return an absolute http(s) URL as it is, or None for anything else (javascript: among it)."""
    text = text.strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    is_web = parts.scheme in ("http", "https") and bool(parts.netloc) and not re.search(r"[\s<>\"]", text)
    return text if is_web else None


def published_at(base_url: str | None) -> str | None:
    """Return where a source's root is published, None for ""; raises ValueError for what is no address of the web."""
    if base_url and web_address(base_url) is None:
        raise ValueError("the root is published at an address that begins with http:// or https://")
    return base_url or None


def address_of(key: str, base_url: str | None) -> str | None:
    """Return base URL plus path; `{path}` or `{stem}` in it stands for the path with or without its ending.

    None for what is no address of the web.
    """
    if not base_url:
        return None
    if "{" in base_url:
        stem = re.sub(r"(^|/)(?:_?index|README)$", "", key.removesuffix(PurePosixPath(key).suffix))
        joined = base_url.replace("{path}", quote(key)).replace("{stem}", quote(stem))
        return web_address(re.sub(r"(?<!:)//+", "/", joined))
    return web_address(base_url.rstrip("/") + "/" + quote(key))


def _take_url(left: dict[str, JsonValue], item: Item, options: SourceOptions) -> str | None:
    """Take the address: an absolute one, else a permalink below the base URL, else base URL plus path."""
    for name in ("url", "canonical_url", "canonicalurl", "permalink", "link"):
        if isinstance(left.get(name), str) and (absolute := web_address(left[name])):
            del left[name]
            return absolute
    if not options.base_url:
        return None
    permalink = _permalink(left)
    if permalink is None:
        return address_of(item.key, options.base_url)
    if not isinstance(left.get("permalink") or left.get("path") or left.get("url"), str):  # a slug names the page only
        folder = PurePosixPath(item.key).parent.as_posix()
        permalink = permalink if folder == "." else f"{folder}/{permalink}"
    base = options.base_url.partition("{")[0].rstrip("/") + "/"
    return web_address(urljoin(base, quote(permalink.lstrip("/"), safe="/%#?=&~:@+,;")))


def _permalink(fields: Mapping[str, JsonValue]) -> str | None:
    for name in _PERMALINKS:
        value = fields.get(name)
        if isinstance(value, str) and value.strip() and not re.search(r"[\s{}\\]|:\w|^\w+:", value.strip()):
            return value.strip()
    return None


def _take_text(left: dict[str, JsonValue], name: str) -> str:
    value = left.get(name)
    if value is None or isinstance(value, dict | list) or not str(value).strip():
        return ""
    del left[name]
    return " ".join(str(value).split())


def _take_date(left: dict[str, JsonValue], names: tuple[str, ...]) -> str | None:
    """Take the first field that is a date; names are compared without regard to case, "-" and "_"."""
    known = {_folded(name): name for name in reversed(list(left))}
    for name in names:
        field = known.get(_folded(name))
        if field is not None and (found := iso_date(left[field])):
            del left[field]
            return found
    return None


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _take_tags(left: dict[str, JsonValue]) -> tuple[str, ...]:
    found: list[str] = []
    for name in _TAGS:
        if isinstance(left.get(name), str | list):
            found.extend(_listed(left.pop(name)))
    taxonomies = left.get("taxonomies")
    if isinstance(taxonomies, dict):
        for name in _TAGS:
            found.extend(_listed(taxonomies.get(name)))
        rest = {name: value for name, value in taxonomies.items() if name not in _TAGS}
        left.pop("taxonomies")
        left.update({"taxonomies": rest} if rest else {})
    return tuple(dict.fromkeys(found))


def _listed(value: JsonValue) -> list[str]:
    """Return the words of a list, or of text separated by commas."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [text for part in parts if isinstance(part, str | int | float) and (text := str(part).strip())]
