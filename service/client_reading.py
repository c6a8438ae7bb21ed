"""What the client returns for readers: counts to narrow a search down by, completions, contexts."""

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.completion import Completion, CompletionKind
from retrieval.context import Source
from retrieval.faceting import Facet, NumberRange, Numbers, Year
from retrieval.stores.base import FacetCount
from service.client_values import Body


@dataclass(frozen=True, slots=True)
class Facets:
    """Counts by field, over what was found or the whole collection (`over`).

    `documents` is how many were looked at; None where an index counted over a collection with a filter.
    """

    over: str
    documents: int | None
    facets: Sequence[Facet]

    @classmethod
    def of(cls, body: Body) -> "Facets":
        """Read an answer."""
        return cls(body["over"], body["documents"], tuple(_facet(facet) for facet in body["facets"]))


@dataclass(frozen=True, slots=True)
class Context:
    """Passages to answer from: one text with a marker for each source, its tokens, and the sources by rank."""

    query_id: str | None
    text: str
    tokens: int
    sources: Sequence[Source]
    arm: str
    notes: Sequence[str]

    @classmethod
    def of(cls, body: Body) -> "Context":
        """Read an answer."""
        return cls(
            query_id=body["query_id"],
            text=body["text"],
            tokens=body["tokens"],
            sources=tuple(_source(source) for source in body["sources"]),
            arm=body["arm"],
            notes=tuple(body["notes"]),
        )


def completion_of(body: Body) -> Completion:
    """Read a completion."""
    return Completion(body["text"], CompletionKind(body["kind"]), body["count"])


def _source(body: Body) -> Source:
    document = body["document"]
    return Source(
        number=body["number"],
        rank=body["rank"],
        score=body["score"],
        document_id=document["id"],
        title=document["title"],
        url=document["url"],
        headings=tuple(body["headings"]),
        chunk_ids=tuple(body["chunk_ids"]),
        text=body["text"],
        is_cut=body["is_cut"],
    )


def _facet(body: Body) -> Facet:
    values = tuple(FacetCount(value["value"], value["count"]) for value in body["values"])
    years = tuple(Year(year["year"], year["count"]) for year in body["years"])
    return Facet(body["field"], values, body["others"], _numbers(body["numbers"]), years)


def _numbers(body: Body | None) -> Numbers | None:
    if body is None:
        return None
    ranges = tuple(NumberRange(one["gte"], one["lt"], one["count"]) for one in body["ranges"])
    return Numbers(body["min"], body["max"], ranges)
