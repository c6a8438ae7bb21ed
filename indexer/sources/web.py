"""A web source: the pages of a sitemap, one page, or a feed, by URL."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

from indexer.sources.addresses import canonical_url
from indexer.sources.base import Item, Problem, SourceOptions, all_finished
from indexer.sources.fetch import Fetcher, Response
from indexer.sources.formats import checked_format, parser_of
from indexer.sources.pages import Limits, pages_of, uncompressed
from indexer.sources.site import Site
from indexer.sources.sitemap import is_sitemap
from retrieval.errors import Skipped, SourceError, UsageError
from retrieval.types import Document

_READABLE = frozenset(
    {
        "",
        "application/atom+xml",
        "application/octet-stream",
        "application/pdf",
        "application/rdf+xml",
        "application/rss+xml",
        "application/xhtml+xml",
        "application/xml",
        "text/html",
        "text/markdown",
        "text/plain",
        "text/x-markdown",
        "text/xml",
    }
)
_FEED = re.compile(rb"<(?:rss|feed|rdf:RDF)[\s>]")
_HTML = re.compile(rb"(?i)<!doctype\s+html|<(?:html|head|body|title|main|article|div|h[1-6]|p|a|ul|table)[\s>]")
_OF_MANY = frozenset({"feed", "jsonl", "csv"})
"""Formats whose documents name themselves; in any other the page is the document, and its URL its name."""

_SUFFIXES = {"md": "markdown", "markdown": "markdown", "rst": "restructuredtext", "txt": "text", "text": "text"}


class WebSource:
    """What a URL leads to: each page of a sitemap (or of those a robots.txt names), one page, or a feed's entries.

    A page's key, id and url are its canonical URL. Pages outside the URL's own site are left out.
    """

    version: ClassVar[str] = "web-1"
    lists_all: ClassVar[bool] = True

    def __init__(self, url: str, options: SourceOptions, *, delay_s: float = 1.0, max_pages: int = 5000) -> None:
        """Check the URL; raises UsageError where it cannot be fetched at all. Nothing is fetched yet."""
        try:
            self._url = canonical_url(url)
        except SourceError as error:
            raise UsageError(str(error)) from None
        self._options = replace(options, format=checked_format(options.format))
        self._limits = Limits(pages=max_pages, bytes_each=options.max_file_bytes)
        fetcher = Fetcher(allow_private=options.allow_private, max_bytes=options.max_file_bytes)
        self._site = Site(self._url, fetcher, delay_s=delay_s)

    @property
    def root(self) -> str:
        """The canonical URL that was asked for."""
        return self._url

    def items(self) -> Iterator[Item | Problem]:
        """List the pages; raises SourceError where the URL itself cannot be fetched."""
        if urlsplit(self._url).path == "/robots.txt":
            sitemaps = self._site.robots(self._url).sitemaps
            if not sitemaps:
                raise SourceError(f"{self._url} names no sitemap; give a sitemap's or a page's own URL.")
            yield from self._pages(list(sitemaps))
            return
        response = self._site.peek(self._url)
        if is_sitemap(uncompressed(response, self._limits.bytes_each)):
            yield from self._pages([self._url])
            return
        yield Item(self._url, self._url, "web", len(response.data))

    def _pages(self, sitemaps: list[str]) -> Iterator[Item | Problem]:
        for found in pages_of(self._site, sitemaps, self._limits):
            yield found if isinstance(found, Problem) else Item(found, found, "web")

    def read(self, item: Item) -> bytes:
        """Fetch a page; raises Skipped for what is no text, too large or excluded by robots.txt."""
        response = self._site.get(item.locator)
        if response.media_type not in _READABLE:
            raise Skipped(f"{item.key} is {response.media_type}, which holds no text to index.")
        if not response.data.strip():
            raise Skipped(f"{item.key} is empty.")
        return _decoded(response)

    def parse(self, item: Item, data: bytes) -> list[Document | Problem]:
        """Return the page as a document, or a feed's entries as theirs."""
        kind = self._options.format if self._options.format != "auto" else kind_of(data, item.key)
        parts = parser_of(kind)(data, item, self._options)
        if kind not in _OF_MANY:
            parts = [_named(part, item.key) for part in parts]
        return all_finished(parts, self._options)


def _named(part: Document | Problem, url: str) -> Document | Problem:
    return replace(part, id=url, url=url) if isinstance(part, Document) else part


def kind_of(data: bytes, url: str) -> str:
    """Return the format that a page's bytes show, or its URL's suffix; plain text where neither says more."""
    head = data[:4096].removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(b"%PDF-"):
        return "pdf"
    if head[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "html"
    if head.startswith(b"<") and _FEED.search(head):
        return "feed"
    suffix = urlsplit(url).path.rpartition(".")[2].lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    return "html" if _HTML.search(data) else "text"


def _decoded(response: Response) -> bytes:
    """Put a text in the charset that the server names into UTF-8, with the mark that outranks what the page says.

    XML and PDF carry their own encoding and stay as they are.
    """
    if not response.charset or kind_of(response.data, response.url) in ("pdf", "feed"):
        return response.data
    try:
        return codecs.BOM_UTF8 + response.data.decode(response.charset).removeprefix("\ufeff").encode()
    except (LookupError, ValueError):
        return response.data
