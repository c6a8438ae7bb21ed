"""One search by a process that lives for it alone: through the index if it is free, else through the catalog."""

from indexer.apply import IndexOwner, open_index
from indexer.carrying import MemoryLedger
from indexer.points import fill
from indexer.reindex import check_analyzer
from retrieval.catalog import Collection
from retrieval.console import note
from retrieval.errors import IndexBusy
from retrieval.home import Home
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.search import Searcher
from service.other_models import OtherModels


def local_search(home: Home, collection: Collection, query: Query) -> SearchResult:
    """Open the index, apply what is pending, search, and close it; while another process owns it, search a copy.

    Raises StoreError when the collection's terms were made by another analyzer.
    """
    check_analyzer(home.catalog, collection)
    try:
        with open_index(home.settings, home.catalog, collection) as index:
            index.apply_pending()
            return _searched(home, index, query)
    except IndexBusy as busy:
        note(f"{busy.held} Searching the catalog itself meanwhile, which is slower.")
    return _searched(home, _copy(home, collection), query)


def _copy(home: Home, collection: Collection) -> IndexOwner:
    from retrieval.stores.memory import MemoryStore

    store = MemoryStore()
    states = fill(home.catalog, collection, store)
    return IndexOwner(home.catalog, collection, store, ledger=MemoryLedger(states))


def _searched(home: Home, index: IndexOwner, query: Query) -> SearchResult:
    collection = index.collection
    if not query.suits(collection.config.model):
        return OtherModels(home, index).search(query)
    return Searcher(home.catalog, collection, index.store, lambda: home.encoder(collection)).search(query)
