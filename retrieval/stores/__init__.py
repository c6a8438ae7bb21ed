"""Search indexes behind one protocol: memory (exact), edge (on disk, in process) and qdrant (a server)."""
