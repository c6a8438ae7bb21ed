"""What a page's head says about it: title, address, dates, keywords, description, language."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from indexer.sources.dates import iso_date
from indexer.sources.fields import web_address
from retrieval.types import Metadata

_SEPARATOR = re.compile(r"\s+[|·•»«—–-]+\s+|\s+::\s+|:\s+(?=[^:]*documentation$)")
_OWN_HEADINGS = ".//main//h1 | .//article//h1"
_OTHER_HEADINGS = ".//h1[not(ancestor::main or ancestor::article or ancestor::header or ancestor::nav)]"
"""The first heading that <title> repeats is the page's, the content's before those of the site around it."""
_PERMALINK_SIGN = re.compile(r"\s*[¶#§🔗]+\s*$")
_CREATED = ("article:published_time", "datepublished", "date", "dc.date", "dcterms.created", "publish_date", "pubdate")
_UPDATED = ("article:modified_time", "og:updated_time", "datemodified", "last-modified", "dcterms.modified")
_LARGEST_JSON = 200_000


@dataclass(frozen=True, slots=True)
class PageMeta:
    """What was found; empty where a page does not say."""

    title: str = ""
    url: str | None = None
    created: str | None = None
    updated: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Metadata = field(default_factory=dict)


def page_meta(root: Any) -> PageMeta:
    """Read an lxml tree's head, and the dates of its JSON-LD and <time> elements."""
    named = {**_json_ld(root), **_named(root)}
    said = {
        "description": named.get("description") or named.get("og:description"),
        "author": named.get("author") or named.get("article:author"),
        "language": (root.get("lang") or "").strip(),
    }
    return PageMeta(
        title=_title(root, named),
        url=_canonical(root),
        created=_date(named, _CREATED) or _time(root),
        updated=_date(named, _UPDATED),
        tags=_tags(root, named),
        metadata={name: value for name, value in said.items() if value},
    )


def _named(root: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for meta in root.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        content = " ".join((meta.get("content") or "").split())
        if name and content:
            found.setdefault(name.lower(), content)
    return found


def _title(root: Any, named: Mapping[str, str]) -> str:
    """Return the page's own title: og:title, or a heading that <title> repeats, or <title> without the site's name."""
    if named.get("og:title"):
        return named["og:title"]
    full = _words(next(root.iter("title"), None))
    found = [*root.xpath(_OWN_HEADINGS), *root.xpath(_OTHER_HEADINGS)]
    headings = [_PERMALINK_SIGN.sub("", _words(heading)) for heading in found]
    for heading in headings:
        if heading and (not full or heading.casefold() in full.casefold()):
            return heading
    if not full and headings:
        return headings[0]
    site = named.get("og:site_name", "")
    parts = [part for part in _SEPARATOR.split(full) if part and part != site]
    return parts[0] if len(parts) > 1 or (parts and site) else full


def _words(element: Any) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _canonical(root: Any) -> str | None:
    for link in root.iter("link"):
        if "canonical" in (link.get("rel") or "").lower().split():
            return web_address(link.get("href") or "")
    return None


def _date(named: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((date for name in names if (date := iso_date(named.get(name, "")))), None)


def _time(root: Any) -> str | None:
    """Return the page's first <time> where it is marked as a date of publication or is the only one."""
    times = [time for time in root.iter("time") if iso_date(time.get("datetime") or "")]
    marked = [time for time in times if time.get("pubdate") is not None or "publish" in (time.get("itemprop") or "")]
    chosen = marked[:1] or (times if len(times) == 1 else [])
    return iso_date(chosen[0].get("datetime")) if chosen else None


def _tags(root: Any, named: Mapping[str, str]) -> tuple[str, ...]:
    listed = [meta.get("content") or "" for meta in root.iter("meta") if meta.get("property") == "article:tag"]
    words = [*listed, *named.get("keywords", "").split(",")]
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _json_ld(root: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for script in root.iter("script"):
        text = script.text or ""
        if (script.get("type") or "").lower() != "application/ld+json" or len(text) > _LARGEST_JSON:
            continue
        try:
            nodes = list(_nodes(json.loads(text), depth=4))
        except (ValueError, RecursionError):
            continue
        for node in nodes:
            for name in ("datePublished", "dateModified"):
                if isinstance(node.get(name), str):
                    found.setdefault(name.lower(), node[name])
    return found


def _nodes(value: Any, *, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        if depth:
            yield from _nodes(value.get("@graph"), depth=depth - 1)
    elif isinstance(value, list) and depth:
        for inner in value:
            yield from _nodes(inner, depth=depth - 1)
