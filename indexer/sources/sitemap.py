"""Sitemaps: what they list, read without ever expanding an entity."""

from dataclasses import dataclass

from retrieval.errors import ParseError

MOST_LOCATIONS = 50_000
"""What the protocol allows in one sitemap."""


@dataclass(frozen=True, slots=True)
class Sitemap:
    """The locations of one sitemap: of pages, or of further sitemaps for a sitemap index."""

    pages: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()


def is_sitemap(data: bytes) -> bool:
    """Say whether bytes begin like a sitemap or a sitemap index."""
    head = data[:4096].lower()
    return b"<urlset" in head or b"<sitemapindex" in head


def sitemap_of(data: bytes, name: str) -> Sitemap:
    """Return the locations in a sitemap's XML; raises ParseError where it is not XML or declares entities."""
    from xml.parsers import expat

    locations: dict[str, list[str]] = {"url": [], "sitemap": []}
    path: list[str] = []
    texts: list[str] = []

    def start(tag: str, _: dict[str, str]) -> None:
        path.append(tag.rpartition(" ")[2].lower())
        texts.clear()

    def end(_: str) -> None:
        if path[-1] == "loc" and len(path) > 1 and path[-2] in locations:
            locations[path[-2]].append("".join(texts).strip())
        path.pop()

    def refuse(*_: object) -> None:
        raise ParseError(f"The sitemap {name} declares XML entities; a sitemap has no use for them.")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = texts.append, refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if not any(locations.values()):
            raise ParseError(f"The sitemap {name} is not XML that can be read ({error}).") from None
    pages, sitemaps = (tuple(filter(None, found))[:MOST_LOCATIONS] for found in locations.values())
    return Sitemap(pages, sitemaps)
