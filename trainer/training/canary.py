"""The forgetting canary: does a tuned model still find what has nothing to do with the collection it was tuned on?

A gain at home can be paid for abroad. So both models are asked general known-item queries, by embedding alone: what the
documentation of Python's standard library, as it is on this machine, says of its functions; or a judgment set of the
owner's. A loss beyond the minimum effect vetoes a promotion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from indexer.sources.base import Item, SourceOptions
from indexer.sources.pydoc import PydocSource
from retrieval.catalog import Catalog, text_hash
from retrieval.encoder import Encoder
from retrieval.types import Document, FloatArray, Qrels, Run
from trainer.findings import MEASURE, MINIMUM_EFFECT, Contrast
from trainer.known_items import KnownItem, masked, mine
from trainer.masking import embed_masked
from trainer.measures import measured
from trainer.significance import Rules, contrast

STANDARD_LIBRARY = "Python's standard library"
MODULES = (
    "argparse", "calendar", "collections", "configparser", "csv", "datetime", "email.message", "fractions", "heapq",
    "itertools", "json", "logging", "os.path", "pathlib", "random", "shutil", "socket", "sqlite3", "statistics",
    "string", "subprocess", "tempfile", "textwrap", "threading", "urllib.parse", "zipfile",
)  # fmt: skip
"""Of many fields, and short enough to be embedded in well under a minute."""
QUERIES = 300
DEPTH = 10
_LONGEST = 1_200
"""Characters of a docstring that are embedded."""


@dataclass(frozen=True, slots=True)
class Canary:
    """What became of general queries: means of nDCG@10 before and after, and the contrast between them."""

    name: str
    before: float
    after: float
    contrast: Contrast
    minimum_effect: float

    @property
    def is_vetoed(self) -> bool:
        """Whether what was lost is more than the least difference worth having."""
        return self.contrast.effect < -self.minimum_effect


@dataclass(frozen=True, slots=True)
class _Questions:
    """Known items of some documents, in one order; `texts` are what is embedded of the documents."""

    items: Sequence[KnownItem]
    ids: Sequence[str]
    texts: Sequence[str]

    def hidden(self) -> list[dict[int, str]]:
        """Return for each item the places of the documents that answer, and their texts without what tells them."""
        places = {key: place for place, key in enumerate(self.ids)}
        return [
            {places[key]: masked(self.texts[places[key]], item.strings) for key in (item.document, *item.duplicates)}
            for item in self.items
        ]


def standard_library_canary(
    catalog: Catalog, before: Encoder, after: Encoder, *, minimum_effect: float = MINIMUM_EFFECT
) -> Canary:
    """Ask both encoders what Python's documentation answers; embeddings are kept, so that asking again is quick."""
    asked = _standard_library()
    qrels = {str(place): dict.fromkeys((item.document, *item.duplicates), 1) for place, item in enumerate(asked.items)}
    clusters = {str(place): item.group for place, item in enumerate(asked.items)}
    runs = [_run(catalog, encoder, asked) for encoder in (before, after)]
    return judged_canary(STANDARD_LIBRARY, qrels, runs, clusters, minimum_effect=minimum_effect)


def judged_canary(
    name: str, qrels: Qrels, runs: Sequence[Run], clusters: Mapping[str, str], *, minimum_effect: float
) -> Canary:
    """Judge two runs, before and after, over general queries."""
    before, after = (measured(qrels, run) for run in runs)
    differences = [after.values[MEASURE][query] - before.values[MEASURE][query] for query in qrels]
    rules = Rules(minimum_effect=minimum_effect)
    found = contrast(differences, [clusters[query] for query in qrels], rules=rules)
    return Canary(name, before.means[MEASURE], after.means[MEASURE], found, minimum_effect)


@cache
def _standard_library() -> _Questions:
    documents = sorted({document.id: document for document in _documents()}.values(), key=lambda document: document.id)
    items = mine(documents, limit=QUERIES, per_document=1).items
    return _Questions(items, [document.id for document in documents], [_text(document) for document in documents])


def _documents() -> list[Document]:
    sources = [PydocSource(module, SourceOptions()) for module in MODULES]
    return [
        document
        for source in sources
        for item in source.items()
        if isinstance(item, Item)
        for document in source.parse(item, source.read(item))
    ]


def _text(document: Document) -> str:
    return f"{document.title}\n{document.text[:_LONGEST]}"


def _run(catalog: Catalog, encoder: Encoder, asked: _Questions) -> Run:
    """Rank the documents for each query by cosine, those that answer it with its own words hidden."""
    hidden = asked.hidden()
    told = [text for texts in hidden for text in texts.values()]
    embed_masked(catalog, encoder, [*asked.texts, *told])
    vectors, masks = _vectors(catalog, encoder, asked.texts), iter(_vectors(catalog, encoder, told))
    queries = encoder.encode_queries([item.text for item in asked.items])
    run: dict[str, dict[str, float]] = {}
    for place, (query, texts) in enumerate(zip(queries, hidden, strict=True)):
        scores = vectors @ query
        scores[list(texts)] = [next(masks) @ query for _ in texts]
        best = np.argsort(-scores, kind="stable")[:DEPTH]
        run[str(place)] = {asked.ids[document]: float(scores[document]) for document in best.tolist()}
    return run


def _vectors(catalog: Catalog, encoder: Encoder, texts: Sequence[str]) -> FloatArray:
    hashes = [text_hash(text) for text in texts]
    found = catalog.embeddings.get(encoder.passage_fingerprint, set(hashes))
    return np.stack([found[key] for key in hashes])
