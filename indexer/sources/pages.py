"""The pages that a site's sitemaps list, each once, within limits that a hostile sitemap cannot exceed."""

from collections.abc import Iterator
from dataclasses import dataclass

from indexer.sources.addresses import canonical_url
from indexer.sources.base import Problem
from indexer.sources.fetch import Response, gunzipped
from indexer.sources.site import Site
from indexer.sources.sitemap import sitemap_of
from retrieval.errors import Skipped, SourceError

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a site is taken: its pages, the sitemaps read for them, how deep these nest, and bytes of each."""

    pages: int = 5000
    sitemaps: int = 200
    nesting: int = 3
    bytes_each: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Listing:
    """The locations of the pages in one sitemap."""

    sitemap: str
    locations: tuple[str, ...]


def uncompressed(response: Response, max_bytes: int) -> bytes:
    """Return the body, out of its gzip file where it is one (sitemap.xml.gz)."""
    is_gzip = response.data.startswith(_GZIP)
    return gunzipped(response.data, response.url, max_bytes) if is_gzip else response.data


def pages_of(site: Site, sitemaps: list[str], limits: Limits) -> Iterator[str | Problem]:
    """Walk sitemaps breadth-first; give the canonical URL of each page of the site, and a problem for what is not one.

    Raises SourceError where a single sitemap was asked for and it cannot be read.
    """
    seen: set[str] = set()
    for found in _listings(site, sitemaps, limits):
        if isinstance(found, Problem):
            yield found
            continue
        for page in _pages_in(found, site):
            if isinstance(page, str) and len(seen) == limits.pages and page not in seen:
                yield Problem(found.sitemap, f"lists more than {limits.pages:,} pages; the rest is left out.", True)
                return
            if isinstance(page, Problem) or page not in seen:
                yield page
            if isinstance(page, str):
                seen.add(page)


def _pages_in(listing: Listing, site: Site) -> Iterator[str | Problem]:
    outside = 0
    for location in listing.locations:
        try:
            url = canonical_url(location)
        except SourceError as error:
            yield Problem(location[:200], str(error), False)
            continue
        if site.holds(url):
            yield url
        else:
            outside += 1
    if outside:
        yield Problem(listing.sitemap, f"lists {outside:,} pages of other sites, which are left out.", True)


def _listings(site: Site, sitemaps: list[str], limits: Limits) -> Iterator[Listing | Problem]:
    waiting = [(location, 1) for location in sitemaps]
    seen: set[str] = set()
    while waiting:
        location, depth = waiting.pop(0)
        try:
            url = canonical_url(location)
            if url in seen:
                continue
            if len(seen) == limits.sitemaps or depth > limits.nesting:
                raise Skipped(f"one sitemap too many: {limits.sitemaps} are read, nested {limits.nesting} deep.")
            seen.add(url)
            sitemap = sitemap_of(uncompressed(site.get(url), limits.bytes_each), url)
        except SourceError as error:
            if len(sitemaps) == 1 and location == sitemaps[0]:
                raise
            yield Problem(location[:200], str(error), isinstance(error, Skipped))
            if len(seen) == limits.sitemaps:
                return
            continue
        waiting.extend((nested, depth + 1) for nested in sitemap.sitemaps)
        yield Listing(url, sitemap.pages)
