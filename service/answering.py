"""Answer a search from a process that serves nothing: by the service that owns the index, else by the index itself."""

import logging

from retrieval.catalog import Collection
from retrieval.home import Home
from retrieval.lazy_commands import imported
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.stores import index_folder
from retrieval.stores.lock import read_owner
from retrieval.types import Mode

logger = logging.getLogger(__name__)


def answered(home: Home, collection: Collection, query: Query) -> SearchResult:
    """Return what is found; raises what a search raises."""
    owner = read_owner(index_folder(home.settings, collection.name))
    if owner and owner.address:
        from service import remote
        from service.errors import NoAnswer

        try:
            token = remote.read_local_token(home.settings.home)
            return remote.search(owner.address, collection.name, query, token=token)
        except NoAnswer as error:  # it may be stopping: then the index is free in a moment
            logger.info("%s", error)
    if query.mode is not Mode.KEYWORD and query.suits(collection.config.model) and collection.config.model:
        home.encoder_soon(collection)
    imported("service.local_search")  # this takes as long as loading the model, beside it
    from service.local_search import local_search

    return local_search(home, collection, query)
