"""What goes between a reader and who asks it: frames of JSON and bytes. Nothing in a frame is ever code."""

import json
from dataclasses import asdict
from typing import IO

from indexer.sources.base import Item, Problem, SourceOptions
from retrieval.types import Block, BlockKind, Document, JsonValue, Link

_LENGTH_BYTES = 8


def send(pipe: IO[bytes], data: bytes) -> None:
    """Write a frame."""
    pipe.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    pipe.flush()


def receive(pipe: IO[bytes], *, max_bytes: int) -> bytes | None:
    """Return a frame; None where the pipe has ended, or the frame is larger."""
    head = pipe.read(_LENGTH_BYTES)
    size = int.from_bytes(head, "big")
    if len(head) < _LENGTH_BYTES or size > max_bytes:
        return None
    data = pipe.read(size)
    return data if len(data) == size else None


def asked(item: Item, options: SourceOptions) -> bytes:
    """Write what to read: a file by its name and format, and how."""
    told = {"key": item.key, "format": item.format, "chosen": options.format, "base_url": options.base_url}
    return json.dumps(told).encode()


def read_asked(data: bytes) -> tuple[Item, SourceOptions]:
    """Read what `asked` wrote."""
    told = json.loads(data)
    return Item(told["key"], "", told["format"]), SourceOptions(format=told["chosen"], base_url=told["base_url"])


def answered(part: Document | Problem) -> JsonValue:
    """Return what a parser gave as JSON."""
    if isinstance(part, Problem):
        return {"problem": asdict(part)}
    return {
        "id": part.id,
        "title": part.title,
        "blocks": [[block.kind.value, block.text, block.level, block.language] for block in part.blocks],
        "url": part.url,
        "created": part.created,
        "updated": part.updated,
        "tags": list(part.tags),
        "metadata": dict(part.metadata),
        "links": [[link.target, link.anchor, link.sentence] for link in part.links],
    }


def read_answered(part: JsonValue) -> Document | Problem:
    """Read what `answered` wrote."""
    if "problem" in part:
        return Problem(**part["problem"])
    return Document(
        id=part["id"],
        title=part["title"],
        blocks=tuple(Block(BlockKind(kind), text, level, language) for kind, text, level, language in part["blocks"]),
        url=part["url"],
        created=part["created"],
        updated=part["updated"],
        tags=tuple(part["tags"]),
        metadata=part["metadata"],
        links=tuple(Link(*link) for link in part["links"]),
    )
