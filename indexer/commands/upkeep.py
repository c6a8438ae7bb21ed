"""tandem status, doctor, audit, reindex, migrate"""

from dataclasses import asdict
from typing import Annotated

import typer

from indexer.apply import open_index
from indexer.audit import audit as run_audit
from indexer.auditing import audited_documents
from indexer.doctor import Diagnosis, examine
from indexer.doctor import repair as run_repair
from indexer.pipeline import Pipeline
from indexer.reindex import embed_missing
from indexer.reindexing import reindexed
from retrieval.catalog import Collection
from retrieval.catalog.database import Database
from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, note, opened, print_json, print_line
from retrieval.home import Home
from retrieval.settings import Settings
from retrieval.stores import index_folder
from retrieval.stores.lock import read_owner
from retrieval.types import JsonValue


def status(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Say what is here: collections, models, and whether every change is searchable."""
    with opened(context, home) as opened_home:
        collections = [_collection_status(opened_home, c) for c in opened_home.catalog.collections.list()]
        body = {
            "home": str(opened_home.settings.home),
            "catalog": opened_home.catalog.database.shown_url,
            "store": opened_home.settings.store,
            "collections": collections,
        }
    if as_json:
        print_json(body)
        return
    print_line(f"home:    {body['home']}")
    print_line(f"catalog: {body['catalog']}")
    print_line(f"store:   {body['store']}")
    if not collections:
        print_line("No collection yet: `tandem ingest PATH` makes one.")
    for found in collections:
        print_line(
            f"{found['name']}: {found['documents']} documents, {found['chunks']} chunks, model "
            f"{found['model'] or 'none yet'}, {found['pending_changes']} changes wait for the index"
        )
        if found["owner"]:
            print_line(f"  its index is held by {found['owner']}")


def _collection_status(home: Home, collection: Collection) -> dict[str, JsonValue]:
    catalog = home.catalog
    owner = read_owner(index_folder(home.settings, collection.name))
    return {
        "name": collection.name,
        "documents": catalog.documents.count(collection),
        "chunks": catalog.chunks.lengths(collection)[0],
        "model": collection.config.model,
        "pending_changes": catalog.changes.count_pending(collection),
        "owner": str(owner) if owner else None,
    }


def doctor(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Make the index what the catalog says.")] = False,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Prove, point by point, that the index holds what the catalog says on both legs."""
    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        with open_index(opened_home.settings, opened_home.catalog, target) as owner:
            diagnosis = examine(owner)
            if repair and not diagnosis.is_healthy:
                if diagnosis.unembedded:
                    _, encoder = opened_home.prepared(collection)
                    embed_missing(Pipeline.of(opened_home.catalog, target, encoder))
                    diagnosis = examine(owner)
                diagnosis = run_repair(owner, diagnosis)
    _print_diagnosis(diagnosis, as_json)
    raise typer.Exit(0 if diagnosis.is_healthy else 1)


def _print_diagnosis(diagnosis: Diagnosis, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(diagnosis), "healthy": diagnosis.is_healthy})
        return
    if diagnosis.is_healthy:
        print_line(f"Healthy: {diagnosis.checked} chunks, the same in the catalog and on both legs of the index.")
        return
    found = {
        "missing from the index": diagnosis.missing,
        "in the index but not in the catalog": diagnosis.extra,
        "different on the keyword leg": diagnosis.keyword,
        "different on the embedding leg": diagnosis.embedding,
        "with another document or metadata": diagnosis.payload,
        "without an embedding": diagnosis.unembedded,
    }
    for what, ids in found.items():
        if ids:
            print_line(f"{len(ids)} chunks {what}: {', '.join(map(str, ids[:10]))}{' ...' if len(ids) > 10 else ''}")
    print_line("`tandem doctor --repair` makes the index what the catalog says.")


def audit(
    context: typer.Context,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Report what to clean in the writing before thinking of models."""
    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        report = run_audit(audited_documents(opened_home.catalog, target))
    if as_json:
        print_json(report.to_dict())
    else:
        for line in report.lines():
            print_line(line)


def reindex(
    context: typer.Context,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Throw the index away and make it again from the catalog, without parsing a source.

    While a service runs, it has that done in a process of its own, and answers searches meanwhile.
    """
    with opened(context, home) as opened_home:
        opened_home.catalog.collections.get(collection)
        chunks, embedded = reindexed(opened_home, collection, note)
    if as_json:
        print_json({"chunks": chunks, "embedded": embedded})
    else:
        print_line(f"{chunks} chunks indexed, {embedded} of them embedded anew.")


def migrate(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Bring the catalog's schema to this version of Tandem; back the catalog up first."""
    database = Database(Settings.from_environment(home=home).resolved_catalog_url)
    before = database.revision()
    database.migrate()
    after = database.revision()
    database.close()
    if as_json:
        print_json({"before": before, "after": after})
    else:
        print_line(f"The catalog is at schema {after} (was {before or 'empty'}).")
