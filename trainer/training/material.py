"""What there is to train on, as digests: counted against what the last training saw, they say how much is new."""

import json
from pathlib import Path

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.trainings import Material, digest


def material_of(catalog: Catalog, collection: Collection) -> Material:
    """Return what a collection has now. Mined pairs follow from the documents, and are not counted beside them."""
    documents = catalog.documents.keys(collection)
    brought = [pair for pair in catalog.pairs.list(collection) if not pair.is_mined]
    return Material(
        frozenset(digest(key, known.content_hash) for key, known in documents.items()),
        frozenset(digest(pair.query, pair.document, pair.source, repr(pair.weight)) for pair in brought),
    )


def write_material(path: Path, material: Material) -> None:
    """Write a file, whole or not at all."""
    record = {name: sorted(one.hex() for one in getattr(material, name)) for name in ("documents", "pairs")}
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(record), encoding="utf-8")
    draft.replace(path)


def read_material(path: Path) -> Material:
    """Read what `write_material` wrote."""
    record = json.loads(path.read_text(encoding="utf-8"))
    return Material(*(frozenset(map(bytes.fromhex, record[name])) for name in ("documents", "pairs")))
