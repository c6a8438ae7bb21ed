"""Delete a collection with its documents and its index."""

from retrieval.home import Home
from retrieval.stores import remove_store


def delete_collection(home: Home, name: str) -> None:
    """Delete a collection; raises UnknownName, and IndexBusy, deleting nothing, while another process owns its index.

    The index goes first. Killed in between, the collection is whole, and whoever opens it next makes its index again.
    """
    home.catalog.collections.get(name)
    remove_store(home.settings, name)
    home.catalog.collections.delete(name)
