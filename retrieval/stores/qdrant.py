"""The shared store: a Qdrant server or cluster, one server collection `tandem_NAME` a collection; many may search it.

It needs a server that creates named vectors on a live collection and scopes IDF to a filter (Qdrant 1.19 or later).
Every write waits until the server has applied it; what a power cut leaves is the server's own durability setting.
Keyword legs always ask for IDF over living points, since a server goes on counting deleted ones until it has
optimized their segment.

Threads: searches run at the same time; the client is safe to share. One process applies changes (the catalog's lock).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Self, TypeVar

from retrieval.errors import StoreError
from retrieval.filters import Exists, Filter
from retrieval.stores import server
from retrieval.stores.base import Candidates, FacetCount, Leg, Point
from retrieval.stores.checks import KEYWORD, check_legs, check_points, check_resize, check_vectors
from retrieval.stores.conditions import filtered_fields, translate
from retrieval.stores.facets import ranked_facets
from retrieval.stores.payload import IS_LEAD, LEAD, PRESENT, equality_field
from retrieval.types import FloatArray

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

Item = TypeVar("Item")

PREFIX = "tandem_"

_BATCH = 256
_PAGE = 5_000
_MAX_FACET_VALUES = 100_000
_MAX_INDEXED_FIELDS = 64


class QdrantStore:
    """An index on a Qdrant server; see Store for what each method promises."""

    def __init__(self, client: QdrantClient, collection: str, *, place: str, indexes: bool = True) -> None:
        """Open the collection through a client, creating it if it is absent.

        `place` is how messages name the server; `indexes` is false for the client's local mode, which has none.
        """
        self._client = client
        self._name = f"{PREFIX}{collection}"
        self._place = place
        self._indexes = indexes
        self._indexing = Lock()
        with self._errors("opening"):
            self._create_if_absent()
            info = client.get_collection(self._name)
            self._sizes = server.dense_sizes(info)
            self._indexed = set(info.payload_schema)

    @classmethod
    def connect(cls, url: str, api_key: str, collection: str) -> Self:
        """Connect to a server. Raises StoreError when it does not answer."""
        from qdrant_client import QdrantClient

        try:
            client = QdrantClient(url=url, api_key=api_key or None, timeout=60, check_compatibility=False)
        except Exception as error:
            raise StoreError(f"TANDEM_QDRANT_URL is {url!r}, which is no usable URL: {error}.") from error
        return cls(client, collection, place=url)

    def announce(self, address: str) -> None:
        """Do nothing: nobody owns a server's index."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert or replace points."""
        accepted = check_points(points, self._sizes)
        with self._errors("writing points"):
            for batch in _batches(accepted):
                self._client.upsert(self._name, server.point_structs(batch), wait=True)

    def delete(self, ids: Sequence[int]) -> None:
        """Remove points."""
        with self._errors("deleting points"):
            for batch in _batches(sorted({i for i in ids if i >= 0})):
                self._client.delete(self._name, list(batch), wait=True)

    def add_vector(self, name: str, size: int) -> None:
        """Make room for a named dense vector, stored as float16."""
        if check_resize(name, size, self._sizes):
            with self._errors("adding a vector"):
                self._sizes = server.dense_sizes(self._client.get_collection(self._name))  # others may have added it
                if check_resize(name, size, self._sizes):
                    self._client.create_vector_name(self._name, name, server.dense_config(size), wait=True)
            self._sizes[name] = size

    def drop_vector(self, name: str) -> None:
        """Remove a named vector from every point."""
        if name in self._sizes:
            with self._errors("dropping a vector"):
                self._sizes = server.dense_sizes(self._client.get_collection(self._name))  # others may have dropped it
                if name in self._sizes:
                    self._client.delete_vector_name(self._name, name, wait=True)
            self._sizes.pop(name, None)

    def put_vectors(self, name: str, vectors: Mapping[int, FloatArray]) -> None:
        """Set the named vector of points that exist."""
        check_vectors(name, vectors.values(), self._sizes)
        with self._errors("writing vectors"):
            for batch in _batches(self._known(vectors)):
                updates = [server.vector_update(i, name, vectors[i]) for i in batch]
                self._client.update_vectors(self._name, updates, wait=True)

    def vector_sizes(self) -> Mapping[str, int]:
        """The named vectors and their dimensions."""
        return dict(self._sizes)

    def search(self, legs: Sequence[Leg], limit: int, where: Filter | None = None) -> list[Candidates]:
        """Answer the legs in one request; among equal scores at the cut the server chooses."""
        check_legs(legs, self._sizes)
        if not legs or limit <= 0:
            return [Candidates.of([]) for _ in legs]
        with self._errors("searching"):
            condition = self._condition(where)
            requests = [server.query_request(leg, limit, where=condition) for leg in legs]
            answers = self._client.query_batch_points(self._name, requests)
            return [server.candidates(answer) for answer in answers]

    def facet(self, name: str, where: Filter | None = None, limit: int = 20) -> list[FacetCount]:
        """Count documents by value."""
        with self._errors("counting values"):
            field = equality_field(name)
            self._index_field(LEAD)
            if not self._index_key_field(name, field, required=True):
                return []
            leads = server.QdrantConditions().any_of(LEAD, [IS_LEAD])
            condition = self._condition(where)
            both = server.QdrantConditions().every([leads] if condition is None else [leads, condition])
            found = self._client.facet(self._name, field, facet_filter=both, limit=_MAX_FACET_VALUES, exact=True)
            return ranked_facets({str(hit.value): hit.count for hit in found.hits}, limit)

    def count(self, where: Filter | None = None) -> int:
        """How many points match."""
        with self._errors("counting points"):
            return self._client.count(self._name, count_filter=self._condition(where), exact=True).count

    def ids(self) -> Iterator[int]:
        """Every point's id, ascending, read page by page."""
        offset: server.Offset = None
        while True:
            with self._errors("reading points"):
                records, offset = self._client.scroll(self._name, limit=_PAGE, offset=offset, with_payload=False)
            yield from (int(record.id) for record in records)
            if offset is None:
                return

    def get(self, ids: Collection[int]) -> list[Point]:
        """The points as stored, vectors made unit (and rounded to float16 by a server)."""
        found: list[Point] = []
        with self._errors("reading points"):
            for batch in _batches(sorted({i for i in ids if i >= 0})):
                records = self._client.retrieve(self._name, list(batch), with_payload=True, with_vectors=True)
                found += [server.read_point(record) for record in records]
        return sorted(found, key=lambda point: point.id)

    def clear(self) -> None:
        """Remove every point and every named vector."""
        with self._errors("clearing"):
            self._client.delete_collection(self._name)
            self._create_if_absent()
        self._sizes.clear()
        self._indexed.clear()

    def remove(self) -> None:
        """Delete the collection from the server."""
        with self._errors("deleting the collection"):
            self._client.delete_collection(self._name)

    def warm(self) -> None:
        """Do nothing: the server keeps itself warm."""

    def compact(self) -> None:
        """Do nothing: the server optimizes by itself."""

    def flush(self) -> None:
        """Do nothing: every write has waited until it was applied."""

    def close(self) -> None:
        """Close the connection."""
        with self._errors("closing"):
            self._client.close()

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(
                f"Qdrant at {self._place} failed while {doing} (collection {self._name!r}): {str(error)[:300]}. "
                "Check that the server runs (1.19 or later), TANDEM_QDRANT_URL and TANDEM_QDRANT_API_KEY; "
                "a damaged collection is rebuilt with `tandem reindex`."
            ) from error

    def _create_if_absent(self) -> None:
        if not self._client.collection_exists(self._name):
            # One shard: each shard of a cluster counts N and df of its own points only.
            self._client.create_collection(
                self._name,
                vectors_config={},
                sparse_vectors_config={KEYWORD: server.sparse_params()},
                shard_number=1,
            )

    def _known(self, ids: Iterable[int]) -> list[int]:
        asked = sorted({i for i in ids if i >= 0})
        found: list[int] = []
        for start in range(0, len(asked), _PAGE):
            records = self._client.retrieve(self._name, list(asked[start : start + _PAGE]), with_payload=False)
            found += [int(record.id) for record in records]
        return found

    def _condition(self, where: Filter | None) -> models.Filter | None:
        if where is None:
            return None
        for key, field in sorted(filtered_fields(where)):
            self._index_key_field(key, field)
        return translate(where, server.QdrantConditions())

    def _index_key_field(self, key: str, field: str, *, required: bool = False) -> bool:
        """Index a payload field of a key that some point has; say whether one has it."""
        if field in self._indexed:
            return True
        self._index_field(PRESENT)
        present = translate(Exists(key), server.QdrantConditions())
        if not self._client.count(self._name, count_filter=present, exact=True).count:
            return False
        if len(self._indexed) < _MAX_INDEXED_FIELDS or required:
            self._index_field(field)
        return True

    def _index_field(self, field: str) -> None:
        with self._indexing:
            if field in self._indexed:
                return
            if self._indexes:
                self._client.create_payload_index(self._name, field, server.index_schema(field), wait=True)
            self._indexed.add(field)


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    yield from (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
