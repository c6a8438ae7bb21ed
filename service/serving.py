"""What a service has open: every collection of a home, opened when first needed and kept until the end."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

from indexer.collection_deletion import delete_collection
from indexer.documents import delete_documents
from indexer.ingest import Summary
from indexer.pipeline import Pipeline
from indexer.reindex import check_analyzer
from indexer.submission import Submitted, submit
from indexer.uploads import Upload, Uploaded, upload
from retrieval.catalog import Collection, CollectionConfig
from retrieval.catalog.database import Along, nothing_else
from retrieval.catalog.unchanged import UNCONDITIONAL, Still
from retrieval.encoder import OnnxEncoder
from retrieval.errors import IndexBusy, ModelError, StoreError, TandemError
from retrieval.filters import Filter
from retrieval.home import Home
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.stores import index_folder
from retrieval.stores.base import FacetCount
from retrieval.stores.lock import read_owner
from service.served import Served, Stopping

T = TypeVar("T")

logger = logging.getLogger(__name__)

POLL_S = 0.5
RETRY_POLLS = 4
"""Polls between two attempts to open a collection that could not be opened."""


class Serving:
    """Every collection of a home, searched and kept up to date. Thread-safe; use it as a context manager."""

    def __init__(self, home: Home, *, address: str = "") -> None:
        """`address` is where this service answers, announced to other processes that want an index."""
        self.home = home
        self._address = address
        self._served: dict[str, Served] = {}
        self._opening = threading.Lock()
        self._preparing = threading.Lock()
        self._stopping = threading.Event()
        self._troubles: dict[str, str] = {}
        self._polls = 0
        self._poller = threading.Thread(target=self._poll, name="apply-changes", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open every collection there is, and begin to follow what other processes commit.

        One that cannot be opened is tried again later. Raises IndexBusy when another service answers for this home.
        """
        try:
            for collection in self.home.catalog.collections.list():
                self._open_or_note(collection.name)
        except BaseException:
            self.stop()
            raise
        self._poller.start()

    def begin_to_stop(self) -> None:
        """Let long work end at its next chance, and begin none; searches of open collections are still answered."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        """Whether no more long work should be done."""
        return self._stopping.is_set()

    def missing(self) -> list[str]:
        """Return what cannot be searched, as sentences."""
        names = [collection.name for collection in self.home.catalog.collections.list()]
        return [
            self._troubles.get(name) or f"Collection {name!r} is not open yet."
            for name in names
            if (served := self._served.get(name)) is None or not served.is_open
        ]

    def stop(self) -> None:
        """Stop following; flush and close every index. What is not applied yet is applied when one is next opened."""
        self.begin_to_stop()
        if self._poller.is_alive():
            self._poller.join()
        with self._opening:
            for served in self._served.values():
                served.close()

    def of(self, name: str) -> Served:
        """Return an open collection; raises NotFound for one that is not there, IndexBusy while another owns it."""
        served = self._served.get(name)
        if served is not None and served.is_open:
            return served
        with self._opening:
            served = self._served.get(name)
            if served is None or not served.is_open:
                served = self._served[name] = self._opened(name)
            return served

    def _opened(self, name: str) -> Served:
        collection = self.home.catalog.collections.get(name)
        self.check_stopping()
        return Served(self.home, collection, address=self._address, stopping=self._stopping)

    def search(self, name: str, query: Query) -> SearchResult:
        """Return the best hits of a collection."""
        return self._asked(name, lambda served: served.search(query))

    def facet(self, name: str, field: str, where: Filter | None, limit: int) -> list[FacetCount]:
        """Count a collection's documents by value of a metadata field, the most frequent first."""
        return self._asked(name, lambda served: served.facet(field, where, limit))

    def _asked(self, name: str, question: Callable[[Served], T]) -> T:
        served = self.of(name)
        try:
            return question(served)
        except StoreError:
            if served.is_open:
                raise
            return question(self.of(name))  # it was deleted, or made again, while being asked

    def submit(
        self, name: str, documents: Sequence[Submitted], *, still: Still = UNCONDITIONAL
    ) -> tuple[Summary, bool]:
        """Keep documents in a collection, made if it is not there; return what became of them, and if all is indexed.

        Once kept in the catalog they are safe: whoever owns the index makes them searchable, if not this process now.
        Raises Stopping between two batches when the service is told to stop; those before are kept. Raises
        DocumentChanged where one that is there is not what `still` says.
        """
        pipeline = replace(self._pipeline(name), still=still)
        summary = submit(pipeline, documents, on_commit=self.check_stopping)
        return summary, self._made_searchable(pipeline.collection)

    def upload(self, name: str, sent: Upload) -> tuple[Uploaded, bool]:
        """Keep what files hold in a collection, as `submit` does with documents."""
        pipeline = self._pipeline(name)
        uploaded = upload(pipeline, sent, on_commit=self.check_stopping)
        return uploaded, self._made_searchable(pipeline.collection)

    def delete(
        self, name: str, ids: Sequence[str], *, still: Still = UNCONDITIONAL, along: Along[int] = nothing_else
    ) -> tuple[int, bool]:
        """Delete documents, all or none; return how many, and if searches know it already.

        Raises NotFound, and DocumentChanged where one is not what `still` says.
        """
        collection = self.home.catalog.collections.get(name)
        deleted = delete_documents(self.home.catalog, collection, ids, still=still, along=along)
        return deleted, self._made_searchable(collection)

    def create_collection(self, name: str, config: CollectionConfig) -> Collection:
        """Make a collection and open it; raises UsageError for a bad name, CollectionExists for one that is taken."""
        collection = self.home.catalog.collections.create(name, config)
        self._open_or_note(name)
        return collection

    def delete_collection(self, name: str) -> None:
        """Close what is served of a collection, and delete it with its index.

        Raises UnknownName, and IndexBusy, deleting nothing, while another process owns the index. See
        `indexer.collection_deletion` for what a kill in between leaves.
        """
        with self._opening:  # nobody opens it meanwhile
            self.check_stopping()
            self.home.catalog.collections.get(name)
            if (served := self._served.pop(name, None)) is not None:
                served.close()
            delete_collection(self.home, name)

    def check_stopping(self) -> None:
        """Raise Stopping when no more long work should be done."""
        if self._stopping.is_set():
            raise Stopping

    def go_on(self, _doing: str, _done: int, _total: int) -> None:
        """Take how far long work is, and raise Stopping when it should end."""
        self.check_stopping()

    def _pipeline(self, name: str) -> Pipeline:
        collection, encoder = self._prepared(name)
        check_analyzer(self.home.catalog, collection)
        return Pipeline.of(self.home.catalog, collection, encoder, encoder_of=self.home.encoder_of)

    def _prepared(self, name: str) -> tuple[Collection, OnnxEncoder]:
        with self._preparing:  # two first requests must not copy the default model at once
            return self.home.prepared(name)

    def _made_searchable(self, collection: Collection) -> bool:
        try:
            served = self.of(collection.name)
            if served.collection.id != collection.id:  # deleted and made again, and no poll has seen it yet
                self._drop(collection.name, served)
                served = self.of(collection.name)
            self._take_over(served, collection)
            served.apply()
        except IndexBusy:
            return False
        except StoreError as error:
            logger.error("Documents of %s are kept but not indexed yet: %s", collection.name, error)  # noqa: TRY400  # one line
            return False
        return True

    def _poll(self) -> None:
        while not self._stopping.wait(POLL_S):
            try:
                self._follow_all()
            except Stopping:
                return
            except Exception:  # whatever happens once, the next poll must come
                logger.exception("Following the catalog failed; trying again.")

    def _follow_all(self) -> None:
        served_before = dict(self._served)  # read before the catalog: what another thread opens later is not gone
        there = {collection.name: collection for collection in self.home.catalog.collections.list()}
        for name, served in served_before.items():
            if name not in there or there[name].id != served.collection.id:
                self._drop(name, served)
        self._polls += 1
        for name, collection in there.items():
            if name in self._served:
                self._follow(collection)
            elif self._polls % RETRY_POLLS == 0:
                self._open_or_note(name)

    def _drop(self, name: str, served: Served) -> None:
        with self._opening:  # whoever asks for what comes after it waits until the index is free
            if self._served.get(name) is served:
                del self._served[name]
            served.close()

    def _follow(self, collection: Collection) -> None:
        try:
            served = self.of(collection.name)
            self._take_over(served, collection)
            served.apply()
            served.carry()
            served.settle()
            served.renew(alone=not any(other.is_renewing for other in list(self._served.values())))
        except Stopping:
            raise
        except TandemError as error:
            if collection.id in {one.id for one in self.home.catalog.collections.list()}:  # else it was deleted
                self._note(collection.name, f"Changes of {collection.name!r} could not be applied: {error}")
        except Exception:  # one collection's trouble must not keep the others from being followed
            logger.exception("Changes of %r could not be applied; trying again.", collection.name)
        else:
            self._troubles.pop(collection.name, None)

    def _take_over(self, served: Served, collection: Collection) -> None:
        """Let a collection's new config take over, or log once why its model cannot."""
        trouble, before = f"the model of {collection.name}", served.collection.config.model
        try:
            if served.follow(collection):
                self._troubles.pop(trouble, None)
        except ModelError as error:
            self._note(trouble, str(error))
        if served.collection.config.model != before:
            self.home.keep_encoders({other.collection.config.model for other in list(self._served.values())})

    def _open_or_note(self, name: str) -> None:
        """Open a collection, or log once why it cannot be; raises IndexBusy when another service serves it."""
        try:
            self.of(name)
        except TandemError as error:
            if isinstance(error, IndexBusy) and not self._poller.is_alive():
                self._refuse_second_service(name, error)
            self._note(name, f"Collection {name!r} is not served yet: {error}")
        else:
            self._troubles.pop(name, None)

    def _refuse_second_service(self, name: str, error: IndexBusy) -> None:
        owner = read_owner(index_folder(self.home.settings, name))
        if owner and owner.address:
            raise IndexBusy(f"{owner} serves this home already, at {owner.address}; use it, or stop it.") from error

    def _note(self, name: str, trouble: str) -> None:
        if self._troubles.get(name) != trouble:
            self._troubles[name] = trouble
            logger.warning("%s", trouble)
