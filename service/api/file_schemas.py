"""What goes over HTTP about files that are sent to be read."""

import json
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import AfterValidator, ConfigDict, Field

from indexer.sources.fields import published_at
from retrieval.types import JsonValue
from service.api.schemas import CollectionName, FailureBody, Strict, Text, shallow

MAX_FILES = 200
MAX_PREFIX_CHARS = 200
MAX_METADATA_CHARS = 10_000
FormatName = Literal["auto", "markdown", "html", "restructuredtext", "text", "jsonl", "csv", "feed", "pdf"]


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a prefix is printable")
    return value


def _object(value: str) -> str:
    parsed = _parsed(value or "{}")
    if parsed is None:
        raise ValueError('metadata is a JSON object, such as {"team": "web"}')
    shallow(parsed)
    return value


def _parsed(value: str) -> dict[str, JsonValue] | None:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class FilesRequest(Strict):
    """Files to read, as a form: multipart/form-data."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"files": ["guide/install.md"], "id_prefix": "docs/"}]})

    files: Annotated[
        list[UploadFile],
        Field(
            min_length=1,
            max_length=MAX_FILES,
            description="Markdown, HTML, reStructuredText, text, JSONL, CSV, feeds, PDF; archives are not unpacked. A "
            "file's name is its document's id: relative, without `..`. Records of JSONL, CSV and feeds have their own.",
        ),
    ]
    collection: Annotated[CollectionName, Field(description="Which collection; it is made if it is not there.")] = (
        "default"
    )
    id_prefix: Annotated[
        Text, Field(max_length=MAX_PREFIX_CHARS, description="Put before every id."), AfterValidator(_printable)
    ] = ""
    format: Annotated[FormatName, Field(description="How to read files whose names do not tell.")] = "auto"
    base_url: Annotated[
        Text | None,
        Field(max_length=2_000, description="Where readers open the files' root; a file's address is below it."),
        AfterValidator(published_at),
    ] = None
    metadata: Annotated[
        Text,
        Field(max_length=MAX_METADATA_CHARS, description="For every document: a JSON object."),
        AfterValidator(_object),
    ] = ""

    @property
    def told(self) -> dict[str, Any]:
        """The metadata, read."""
        return _parsed(self.metadata) or {}


class FileBody(Strict):
    """A file that was read, now or before."""

    name: Annotated[str, Field(description="What it is called here: with the prefix, made safe.")]
    unchanged: Annotated[bool, Field(description="It was there already, byte for byte.")]


class FilesBody(Strict):
    """What became of the files."""

    files: Annotated[list[FileBody], Field(description="Those that were read, now or before.")]
    kept: Annotated[int, Field(description="Documents that are new or have changed.")]
    chunks: Annotated[int, Field(description="Passages made of those kept.")]
    embedded: Annotated[int, Field(description="Passages whose text the model had not seen.")]
    failures: Annotated[list[FailureBody], Field(description="Files and records that were not kept, by name.")]
    indexed: Annotated[
        bool, Field(description="True: all are searchable. False: safe, and searchable once the index's owner is done.")
    ]
