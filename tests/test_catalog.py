"""The catalog keeps what it was given, in one transaction, and logs what the index has to do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from retrieval.catalog import (
    Batch,
    Catalog,
    Collection,
    CollectionConfig,
    DocumentRecord,
    IndexedChunk,
    ModelRecord,
    Moments,
    Operation,
    schema_idempotency,
    schema_recurring,
    schema_searches,
    schema_votes,
    text_hash,
)
from retrieval.catalog.database import MIGRATIONS
from retrieval.catalog.job import JobState, Work
from retrieval.catalog.schema import metadata
from retrieval.errors import CatalogError, FingerprintMismatch, NotFound, SchemaMismatch, UsageError
from retrieval.types import Block, BlockKind, Chunk, Document, Link, SparseVector


def post(document_id: str = "a.md", *paragraphs: str, title: str = "A post") -> Document:
    blocks = tuple(Block(BlockKind.PARAGRAPH, paragraph) for paragraph in paragraphs or ("one two",))
    return Document(
        document_id, title, blocks, tags=("x",), metadata={"year": 2021}, links=(Link("b.md", "b", "See b."),)
    )


def record(document: Document) -> DocumentRecord:
    chunks = []
    for position, block in enumerate(document.blocks):
        chunk = Chunk(position, (), block.text, len(block.text.split()))
        terms = SparseVector(np.array([1, 7], dtype=np.uint32), np.array([1.0, 2.0], dtype=np.float32))
        chunks.append(IndexedChunk(chunk, text_hash(chunk.embedding_text(document.title)), terms, 3.0))
    return DocumentRecord(document, document.id, tuple(chunks))


def words(text_: str) -> list[str]:
    return text_.lower().replace(">", " ").split()


def put(catalog: Catalog, collection: Collection, *documents: Document) -> None:
    batch = Batch("/root", [record(document) for document in documents], {d.id: d.content_hash for d in documents})
    catalog.documents.put(collection, batch, words)


def mark_all_indexed(catalog: Catalog, collection: Collection) -> None:
    catalog.changes.mark_indexed(collection, [change.seq for change in catalog.changes.pending(collection, 100)])


def operations(catalog: Catalog, collection: Collection) -> list[tuple[Operation, int]]:
    return [(change.operation, change.chunk_id) for change in catalog.changes.pending(collection, 100)]


def test_a_document_comes_back_as_it_went_in(catalog: Catalog, collection: Collection) -> None:
    put(catalog, collection, post())
    assert catalog.documents.get(collection, "a.md") == post()
    assert list(catalog.documents.all(collection)) == [post()]
    assert catalog.documents.items(collection, "/root") == {"a.md": post().content_hash}


def test_an_unchanged_chunk_keeps_its_id_when_its_document_changes(catalog: Catalog, collection: Collection) -> None:
    put(catalog, collection, post("a.md", "same", "old"))
    same, old = catalog.chunks.ids(collection)
    mark_all_indexed(catalog, collection)
    put(catalog, collection, post("a.md", "new", "same"))
    ids = catalog.chunks.ids(collection)
    assert same in ids
    assert old not in ids
    new = next(key for key in ids if key != same)
    assert operations(catalog, collection) == [
        (Operation.DELETE, old),
        (Operation.UPSERT, same),
        (Operation.UPSERT, new),
    ]
    assert [chunk.position for chunk in catalog.chunks.stored(collection, [new, same])] == [1, 0]


def test_a_deleted_document_is_logged_for_the_index_and_its_words_are_forgotten(
    catalog: Catalog, collection: Collection
) -> None:
    put(catalog, collection, post("a.md", "apple"), post("b.md", "apple pear"))
    assert catalog.vocabulary.counts(collection, ["apple", "pear", "fig"]) == {"apple": 2, "pear": 1}
    mark_all_indexed(catalog, collection)
    first = catalog.chunks.ids(collection)[0]
    assert catalog.documents.delete(collection, ["a.md", "unknown"], words) == 1
    assert operations(catalog, collection) == [(Operation.DELETE, first)]
    assert catalog.vocabulary.counts(collection, ["apple", "pear"]) == {"apple": 1, "pear": 1}
    assert "a.md" not in catalog.documents.items(collection, "/root")


def test_the_vocabulary_follows_a_changed_title(catalog: Catalog, collection: Collection) -> None:
    put(catalog, collection, post("a.md", "text", title="Apples"))
    put(catalog, collection, post("a.md", "text", title="Pears"))
    assert catalog.vocabulary.all(collection) == {"pears": 1, "text": 1}


def test_marking_indexed_leaves_later_changes_pending(catalog: Catalog, collection: Collection) -> None:
    put(catalog, collection, post("a.md"))
    seen = [change.seq for change in catalog.changes.pending(collection, 100)]
    put(catalog, collection, post("b.md"))
    catalog.changes.mark_indexed(collection, seen)
    assert catalog.changes.count_pending(collection) == 1


def test_marking_a_later_change_leaves_an_earlier_one_pending(catalog: Catalog, collection: Collection) -> None:
    put(catalog, collection, post("a.md", "one", "two"))
    first, second = catalog.changes.pending(collection, 100)
    catalog.changes.mark_indexed(collection, [second.seq])
    assert catalog.changes.pending(collection, 100) == [first]


def test_what_was_applied_and_not_flushed_is_pending_again_when_doubted(
    catalog: Catalog, collection: Collection
) -> None:
    put(catalog, collection, post("a.md", "one", "two", "three"))
    first, second, third = catalog.changes.pending(collection, 100)
    catalog.changes.mark_applied(collection, [first.seq, second.seq])
    catalog.changes.mark_indexed(collection, [first.seq])
    assert catalog.changes.pending(collection, 100) == [third]
    assert catalog.changes.count_pending(collection) == 1
    catalog.changes.doubt_applied(collection)
    assert catalog.changes.pending(collection, 100) == [second, third]


def test_a_batch_that_fails_leaves_nothing_behind(catalog: Catalog, collection: Collection) -> None:
    broken = record(replace(post("b.md"), title=None))  # type: ignore[arg-type]  # NOT NULL must refuse it
    with pytest.raises(CatalogError):
        catalog.documents.put(collection, Batch("/root", [record(post("a.md")), broken]), words)
    assert catalog.documents.count(collection) == 0
    assert catalog.changes.count_pending(collection) == 0
    assert catalog.vocabulary.all(collection) == {}


def test_an_embedding_is_kept_once_per_model_and_text(catalog: Catalog) -> None:
    vector = np.array([0.6, 0.8], dtype=np.float32)
    catalog.embeddings.put("m1", {"h": vector})
    catalog.embeddings.put("m1", {"h": -vector})
    assert np.allclose(catalog.embeddings.get("m1", ["h", "other"])["h"], vector, atol=1e-3)
    assert catalog.embeddings.known("m2", ["h"]) == set()
    assert catalog.embeddings.forget_unused() == 1


def test_redoing_everything_logs_an_upsert_of_each_chunk(catalog: Catalog, collection: Collection) -> None:
    put(catalog, collection, post("a.md", "one", "two"))
    mark_all_indexed(catalog, collection)
    catalog.changes.redo_all(collection)
    assert operations(catalog, collection) == [(Operation.UPSERT, key) for key in catalog.chunks.ids(collection)]


def test_moments_come_back_to_the_digit(catalog: Catalog, collection: Collection) -> None:
    moments = Moments(3, np.array([0.5, 0.25], dtype=np.float32), np.eye(2, dtype=np.float32))
    catalog.moments.put(collection, "m1", moments)
    found = catalog.moments.get(collection, "m1")
    assert found is not None
    assert np.array_equal(found.mean, moments.mean)
    assert np.array_equal(found.covariance, moments.covariance)


def test_a_model_version_never_changes_its_meaning(catalog: Catalog) -> None:
    catalog.models.register(ModelRecord("v1", "aaaa", "aaaa", 2, "/m", {}))
    catalog.models.register(ModelRecord("v1", "aaaa", "aaaa", 2, "/m", {}))
    with pytest.raises(FingerprintMismatch, match="another version"):
        catalog.models.register(ModelRecord("v1", "bbbb", "bbbb", 2, "/m", {}))


def test_a_deleted_collection_takes_its_documents_along(catalog: Catalog, collection: Collection) -> None:
    put(catalog, collection, post())
    catalog.collections.delete("default")
    fresh = catalog.collections.create("default", CollectionConfig())
    assert catalog.documents.count(fresh) == 0
    assert catalog.vocabulary.all(fresh) == {}


@pytest.mark.parametrize("name", ["", "Has Space", "../up", "UPPER", "x" * 64])
def test_a_collection_name_is_a_safe_slug(catalog: Catalog, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a collection"):
        catalog.collections.create(name, CollectionConfig())


def test_a_missing_collection_names_those_there_are(catalog: Catalog, collection: Collection) -> None:
    with pytest.raises(NotFound, match=r"^There is no collection 'blog'\. `tandem ingest PATH") as raised:
        catalog.collections.get("blog")
    assert raised.value.in_full.startswith("There is no collection 'blog' (there is: default). `tandem ingest PATH")


def test_the_migrations_make_exactly_the_tables_of_the_schema(catalog: Catalog) -> None:
    with catalog.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert {schema_idempotency, schema_recurring, schema_searches, schema_votes}  # their tables are in it too
        assert compare_metadata(context, metadata) == []


def test_a_job_of_an_older_catalog_keeps_its_result_and_gets_an_outline(tmp_path: Path) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    jobs, result = catalog.jobs, {"verdict": "better", "arms": {"keyword": {"ndcg@10": 0.5}}, "changed": [1]}
    for told in (result, None):
        taken = jobs.take_up(jobs.submit(Work("compare", "default", {}), made_by="me").id, "w")
        assert taken is not None
        jobs.end(taken, JobState.DONE, result=told)
    before = [jobs.get(number) for number in (1, 2)]
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with catalog.database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0009")
    catalog.database.migrate()
    assert [jobs.get(number) for number in (1, 2)] == before
    assert before[0].outline == {"verdict": "better", "arms": {"keyword": {}}, "changed": []}
    catalog.close()


@pytest.mark.parametrize(("revision", "advice"), [("0000", "tandem migrate"), ("9999", "Upgrade Tandem")])
def test_another_schema_version_is_refused_with_what_to_do(tmp_path: Path, revision: str, advice: str) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    catalog = Catalog.open(url)
    with catalog.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    catalog.close()
    with pytest.raises(SchemaMismatch, match=advice):
        Catalog.open(url)


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(CatalogError, match="not a database URL"):
        Catalog.open("nonsense")


def test_reads_inside_a_read_share_its_snapshot(catalog: Catalog) -> None:
    another = Catalog.open(catalog.database.url)
    with catalog.database.read():
        assert catalog.collections.list() == []
        another.collections.create("later", CollectionConfig())
        assert catalog.collections.list() == []
    assert [collection.name for collection in catalog.collections.list()] == ["later"]
    another.close()


def test_a_catalog_that_does_not_answer_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    with pytest.raises(CatalogError) as failed:
        Catalog.open("postgresql+psycopg://me:secret@127.0.0.1:1/tandem")
    assert "me:***@" in str(failed.value)
    assert "secret" not in str(failed.value)
