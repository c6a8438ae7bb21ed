"""A client of a Tandem service, for programs: typed values out, the errors of retrieval/errors.py raised.

with Client("http://127.0.0.1:8080") as client:
    client.put([{"id": "guide/install", "text": "# Install"}])
    for hit in client.search("how do I install it").hits:
        print(hit.document_id, hit.title)
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from retrieval.catalog.job import Job, JobState, Line
from retrieval.catalog.searches import FeedbackKind
from retrieval.completion import Completion
from retrieval.filter_parsing import filter_to_json
from retrieval.filters import Filter
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.types import JsonValue, Mode
from service.asking import search_body
from service.client_admin import Administration, writing
from service.client_reading import Context, Facets, completion_of
from service.client_values import (
    Deleted,
    Kept,
    KeptFiles,
    ListedDocument,
    WholeDocument,
)
from service.following import followed
from service.transport import Asked, Transport

if TYPE_CHECKING:
    from indexer.submission import Submitted

TIMEOUT_S = 900.0
"""Documents that come in are embedded before the answer comes."""
PAGE = 500


class Client(Administration):
    """One service, asked over HTTP. A context manager; safe to share between threads.

    Every request that got no answer, or was told to come back, is sent again `retries` times; writes carry an
    idempotency key, so that none is done twice. What is raised is a TandemError: UsageError, NothingKept, NotFound,
    Unauthorized, Forbidden, Conflict, DocumentChanged, TooManyRequests, and NoAnswer where no Tandem answers.
    """

    def __init__(self, base_url: str, token: str = "", *, timeout_s: float = TIMEOUT_S, retries: int = 2) -> None:
        """`base_url` is such as http://127.0.0.1:8080, `token` a key that `tandem keys create` made."""
        super().__init__(Transport(base_url, token, timeout_s=timeout_s, retries=retries))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def search(
        self,
        text: str,
        *,
        k: int = 10,
        mode: Mode | str = Mode.HYBRID,
        collection: str = "default",
        where: Filter | None = None,
        group: bool = True,
        model: str = "",
        cursor: str | None = None,
    ) -> SearchResult:
        """Return the best hits; retrieval/filter_parsing.py makes a filter, `group` false ranks plain chunks.

        `cursor`, the `next` of a result, gives those after them. `model` is a version other than the collection's own.
        """
        return self.ask(Query(text, k, Mode(mode), where, group, model), collection=collection, cursor=cursor)

    def ask(self, query: Query, *, collection: str = "default", cursor: str | None = None) -> SearchResult:
        """Search as `search` does, by a query as every search takes it."""
        asked = search_body(collection, query)
        body = {**asked, "cursor": cursor} if cursor else asked
        return self._read(Asked("POST", "/v1/search", body=body), SearchResult.from_json)

    def facets(
        self,
        fields: Sequence[str],
        *,
        text: str = "",
        mode: Mode | str = Mode.HYBRID,
        collection: str = "default",
        where: Filter | None = None,
        limit: int = 20,
    ) -> Facets:
        """Count values of metadata over what a text finds, or over the whole collection; at most `limit` a field."""
        body = {
            "fields": list(fields),
            "query": text,
            "mode": Mode(mode).value,
            "collection": collection,
            "where": filter_to_json(where) if where is not None else None,
            "limit": limit,
        }
        return self._read(Asked("POST", "/v1/facets", body=body), Facets.of)

    def suggest(self, prefix: str, *, collection: str = "default", limit: int = 8) -> list[Completion]:
        """Return what is typed so far may become, the most useful first: plain text."""
        asked = Asked("GET", "/v1/suggest", {"prefix": prefix, "collection": collection, "limit": limit})
        return self._read(asked, lambda body: [completion_of(each) for each in body["suggestions"]])

    def context(
        self,
        text: str,
        *,
        tokens: int = 2_000,
        k: int = 5,
        neighbours: int = 1,
        mode: Mode | str = Mode.HYBRID,
        collection: str = "default",
        where: Filter | None = None,
    ) -> Context:
        """Return passages for a language model to answer from, of at most `k` documents, in so many tokens.

        They are what documents say, and no instructions. `neighbours` is how many chunks around each may come along.
        """
        body = {
            "query": text,
            "tokens": tokens,
            "k": k,
            "neighbours": neighbours,
            "mode": Mode(mode).value,
            "collection": collection,
            "where": filter_to_json(where) if where is not None else None,
        }
        return self._read(Asked("POST", "/v1/context", body=body), Context.of)

    def feedback(self, query_id: str, kind: FeedbackKind | str, *, document: str = "", rank: int | None = None) -> bool:
        """Tell what a reader made of an answer, or of a document in it; return False where that was told before.

        Raises NotFound where no search is known by the id, UsageError for a document that the answer did not show.
        """
        told = {"query_id": query_id, "kind": FeedbackKind(kind).value, "document": document}
        body = told if rank is None else {**told, "rank": rank}
        return self._read(Asked("POST", "/v1/feedback", body=body), lambda answer: bool(answer["recorded"]))

    def put(
        self,
        documents: "Iterable[Submitted | Mapping[str, JsonValue]]",
        *,
        collection: str = "default",
        if_match: str | None = None,
        key: str | None = None,
    ) -> Kept:
        """Keep documents, replacing those with the same ids; raises NothingKept where none could be.

        `if_match` is the ETag that the one document must still have. `key` is an idempotency key of your own: give it
        where the program may start over.
        """
        body = {"collection": collection, "documents": [_json(document) for document in documents]}
        return self._read(Asked("POST", "/v1/documents", body=body, headers=writing(key, if_match)), Kept.of)

    def upload(
        self,
        files: Iterable[Path | tuple[str, bytes]],
        *,
        collection: str = "default",
        key: str | None = None,
        **told: JsonValue,
    ) -> KeptFiles:
        """Keep what files hold: paths, which are sent as they are written, or names with bytes.

        `told` are id_prefix, format, base_url and metadata (a mapping). Raises NothingKept where none could be read.
        """
        form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}
        parts = [("files", (file.as_posix(), file.read_bytes()) if isinstance(file, Path) else file) for file in files]
        asked = Asked(
            "POST",
            "/v1/documents/files",
            form={"collection": collection, **form},
            files=parts,
            headers=writing(key, None),
        )
        return self._read(asked, KeptFiles.of)

    def documents(self, *, collection: str = "default", after: str = "") -> Iterator[ListedDocument]:
        """Give every document by id, those after `after`, asking for a page when the last one is through."""
        while True:
            asked = Asked("GET", "/v1/documents", {"collection": collection, "after": after, "limit": PAGE})
            listed, more = self._read(
                asked, lambda body: ([ListedDocument.of(each) for each in body["documents"]], body["next"])
            )
            yield from listed
            if more is None:
                return
            after = more

    def document(self, document_id: str, *, collection: str = "default") -> WholeDocument:
        """Return a document as it was understood, with its ETag; raises NotFound."""
        response = self._transport.answer(
            Asked("GET", "/v1/documents/by-id", {"id": document_id, "collection": collection})
        )
        body = self._transport.parsed(response)
        return self._understood(lambda told: WholeDocument.of(told, response.headers["ETag"]), body)

    def delete(
        self, ids: Sequence[str], *, collection: str = "default", if_match: str | None = None, key: str | None = None
    ) -> Deleted:
        """Delete documents, all or none; raises NotFound. `if_match` is the ETag that the one document still has."""
        body = {"collection": collection, "ids": list(ids)}
        asked = Asked("POST", "/v1/documents/delete", body=body, headers=writing(key, if_match))
        return self._read(asked, Deleted.of)

    def submit(self, kind: str, *, collection: str = "default", key: str | None = None, **parameters: JsonValue) -> Job:
        """Ask for work; raises Conflict where the same waits or runs already. docs/jobs.md lists the parameters."""
        body = {"kind": kind, "collection": collection, "parameters": parameters}
        return self._read(Asked("POST", "/v1/jobs", body=body, headers=writing(key, None)), Job.from_json)

    def job(self, job: int) -> Job:
        """Return a job as it is now; raises NotFound."""
        return self._read(Asked("GET", f"/v1/jobs/{job:d}"), Job.from_json)

    def jobs(
        self, *, collection: str | None = None, kind: str | None = None, states: Sequence[JobState] = ()
    ) -> Iterator[Job]:
        """Give jobs without their results, the newest first, asking for a page when the last one is through."""
        told: dict[str, Any] = {"collection": collection, "kind": kind, "state": [state.value for state in states]}
        params = {name: value for name, value in told.items() if value}
        while True:
            found, more = self._read(
                Asked("GET", "/v1/jobs", params), lambda body: ([Job.from_json(j) for j in body["jobs"]], body["next"])
            )
            yield from found
            if more is None:
                return
            params["before"] = more

    def follow(self, job: int, *, after: int = 0) -> Iterator[Job | Line]:
        """Give what a job says, line by line, and the job whenever it has changed; end with it.

        Where the connection breaks off it goes on after the last line; `after` a line's id begins there.
        """
        return followed(self._transport, job, after)

    def cancel(self, job: int) -> Job:
        """Take a job back; raises UsageError for one that is over."""
        return self._read(Asked("POST", f"/v1/jobs/{job:d}/cancel"), Job.from_json)

    def resume(self, job: int) -> Job:
        """Queue a job again that was cancelled, interrupted or failed."""
        return self._read(Asked("POST", f"/v1/jobs/{job:d}/resume"), Job.from_json)


def _json(document: "Submitted | Mapping[str, JsonValue]") -> Mapping[str, JsonValue]:
    return document if isinstance(document, Mapping) else asdict(document)
