"""Search indexes behind one protocol: memory (exact), edge (on disk, in process) and qdrant (a server)."""

from retrieval.stores.factory import index_folder, open_store, remove_store

__all__ = ["index_folder", "open_store", "remove_store"]
