"""HTML pages as one document: the main content, without the site around it."""

import re
from urllib.parse import urljoin, urlsplit

from indexer.sources.base import Item, SourceOptions
from indexer.sources.decoding import binary_reason, decoded, repaired
from indexer.sources.fields import address_of, humanised, web_address
from indexer.sources.html_blocks import blocks_of, parsed_html
from indexer.sources.html_main import main_blocks
from indexer.sources.html_meta import PageMeta, page_meta
from indexer.sources.markdown import titled
from indexer.sources.markup_bounds import bounded
from indexer.sources.prose import RichBlock, links_of
from retrieval.errors import Skipped
from retrieval.types import Block, BlockKind, Document, Link

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{2,40})", re.IGNORECASE)
_PAGE = re.compile(r"<(?:html|body|head|!doctype)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")
_PREAMBLE = 4_096


def parse(data: bytes, item: Item, options: SourceOptions) -> list[Document]:
    """Return the page's one document; a piece of HTML without <html> or <body> is content as a whole.

    Where the item's key is a URL, links are absolute and only those to the same host are kept. Raises Skipped for
    binary data and for a page without text.
    """
    text = bounded(_text_of(data))
    root = parsed_html(text)
    is_page = _PAGE.search(text[:_PREAMBLE]) is not None
    meta = page_meta(root) if root is not None and is_page else PageMeta()
    blocks = (main_blocks(root, text) if is_page else blocks_of(root)) if root is not None else []
    title, blocks = titled(meta.title, blocks or _bare(text))
    if not blocks:
        raise Skipped(f"{item.key} holds no text beside its title.")
    is_fetched = web_address(item.key) is not None
    return [
        Document(
            id=item.key,
            title=title or humanised(urlsplit(item.key).path.strip("/") or item.key if is_fetched else item.key),
            blocks=tuple(rich.block for rich in blocks),
            url=meta.url or (item.key if is_fetched else address_of(item.key, options.base_url)),
            created=meta.created,
            updated=meta.updated,
            tags=meta.tags,
            metadata=meta.metadata,
            links=_within_site(links_of(blocks), item.key) if is_fetched else links_of(blocks),
        )
    ]


def _text_of(data: bytes) -> str:
    """Decode a page: UTF-8 where it is valid, else what the page itself declares, else what can be found out."""
    declared = _CHARSET.search(data[:_PREAMBLE])
    if declared is None or binary_reason(data) is not None:
        return decoded(data)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return repaired(data.decode(declared[1].decode("ascii", "replace"), "replace"))
        except LookupError:
            pass
    return decoded(data)


def _bare(text: str) -> list[RichBlock]:
    """Return the text between tags, for markup nested too deep to be read as a tree."""
    words = _SPACE.sub(" ", _TAG.sub(" ", text)).strip()
    is_text = re.search(r"\w", words) is not None and "<script" not in text.lower()
    return [RichBlock(Block(BlockKind.PARAGRAPH, words))] if is_text else []


def _within_site(links: tuple[Link, ...], page: str) -> tuple[Link, ...]:
    """Return the links to other pages of the page's host, as absolute URLs."""
    found: dict[Link, None] = {}
    for link in links:
        target = _joined(page, link.target)
        if target and _host(target) == _host(page) and target.partition("#")[0] != page.partition("#")[0]:
            found[Link(target, link.anchor, link.sentence)] = None
    return tuple(found)


def _joined(page: str, target: str) -> str | None:
    try:
        return web_address(urljoin(page, target.strip()))
    except ValueError:
        return None


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower().removeprefix("www.")
