"""Embeddings by model fingerprint and text hash: computed once, kept as float16, shared by all collections."""

import hashlib
from collections.abc import Collection as AnyCollection
from collections.abc import Mapping

from sqlalchemy import delete, func, select

from retrieval.catalog import schema
from retrieval.catalog.database import Database
from retrieval.catalog.rows import in_batches, insert_for, packed_vector, unpacked_vectors
from retrieval.types import FloatArray


def text_hash(text: str) -> str:
    """Return the key under which a text's embedding is kept: 128 bits of BLAKE2b, in hex."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Embeddings:
    """Read and write embeddings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, fingerprint: str, hashes: AnyCollection[str]) -> set[str]:
        """Return those of `hashes` that this model has embedded."""
        table = schema.embeddings
        found: set[str] = set()
        with self._database.read() as connection:
            for batch in in_batches(hashes):
                statement = select(table.c.text_hash).where(
                    table.c.fingerprint == fingerprint, table.c.text_hash.in_(batch)
                )
                found.update(connection.execute(statement).scalars())
        return found

    def get(self, fingerprint: str, hashes: AnyCollection[str]) -> dict[str, FloatArray]:
        """Return the embeddings there are, as unit vectors of shape (d,), by text hash."""
        table = schema.embeddings
        keys: list[str] = []
        blobs: list[bytes] = []
        with self._database.read() as connection:
            for batch in in_batches(hashes):
                statement = select(table.c.text_hash, table.c.vector).where(
                    table.c.fingerprint == fingerprint, table.c.text_hash.in_(batch)
                )
                for row in connection.execute(statement):
                    keys.append(row.text_hash)
                    blobs.append(row.vector)
        return dict(zip(keys, unpacked_vectors(blobs), strict=True))

    def put(self, fingerprint: str, vectors: Mapping[str, FloatArray]) -> None:
        """Keep embeddings, durably; those already there stay as they are."""
        if not vectors:
            return
        rows = [
            {"fingerprint": fingerprint, "text_hash": key, "vector": packed_vector(vector)}
            for key, vector in vectors.items()
        ]
        with self._database.write() as connection:
            connection.execute(insert_for(connection, schema.embeddings).on_conflict_do_nothing(), rows)

    def count(self, fingerprint: str) -> int:
        """How many texts this model has embedded."""
        table = schema.embeddings
        with self._database.read() as connection:
            statement = select(func.count()).select_from(table).where(table.c.fingerprint == fingerprint)
            return connection.execute(statement).scalar_one()

    def forget_unused(self) -> int:
        """Delete embeddings of texts that no chunk has any more; return how many."""
        table = schema.embeddings
        with self._database.write() as connection:
            used = select(schema.chunks.c.text_hash)
            return connection.execute(delete(table).where(table.c.text_hash.not_in(used))).rowcount
