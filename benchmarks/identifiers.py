"""Exact identifiers: is the right document at rank 1? 200 names drawn from two corpora by a script.

From the documentation of Python packages: dotted names, and last components that only one document has; the right
document is the one named so. From a product's documentation (../shared/data/fastapi-docs): classes, functions, options,
errors and headers as they stand in its text; a document is right if it holds the name verbatim.

    python -m benchmarks.identifiers [--home HOME --collection NAME]
"""

import random
import re
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from indexer.apply import open_index
from retrieval.catalog import Catalog, Collection
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Searcher
from retrieval.settings import Settings

SHAPES = {
    "class": re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b"),
    "function": re.compile(r"\b[a-z]+(?:_[a-z]+)+\b"),
    "option": re.compile(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*\b"),
    "error": re.compile(r"\b[A-Z][A-Za-z]*(?:Error|Exception|Warning)\b"),
    "header": re.compile(r"\b[A-Z][a-z]+(?:-[A-Z][A-Za-z]+)+\b"),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A query and the documents that are right."""

    kind: str
    text: str
    right: frozenset[str]


def drawn_from_names(ids: Iterable[str], count: int, seed: int) -> list[Drawn]:
    """Draw dotted names, every second one by its last component where that is unique."""
    names = sorted(name for name in ids if "." in name)
    last = Counter(name.rpartition(".")[2] for name in names)
    coded = [name for name in names if "_" in name.rpartition(".")[2].strip("_")]
    chosen = random.Random(seed).sample(coded, count)
    queries: list[Drawn] = []
    for place, name in enumerate(chosen):
        component = name.rpartition(".")[2]
        is_short = place % 2 == 1 and last[component] == 1
        queries.append(Drawn("name" if is_short else "dotted name", component if is_short else name, frozenset({name})))
    return queries


def drawn_from_texts(texts: Mapping[str, str], count: int, seed: int) -> list[Drawn]:
    """Draw names of every shape from texts, the same number of each shape where there are enough."""
    holders: dict[str, dict[str, set[str]]] = {kind: {} for kind in SHAPES}
    for document, text in texts.items():
        for kind, shape in SHAPES.items():
            for name in shape.findall(text):
                holders[kind].setdefault(name, set()).add(document)
    generator = random.Random(seed)
    queues = {kind: generator.sample(sorted(names), len(names)) for kind, names in holders.items()}
    queries: list[Drawn] = []
    while len(queries) < count and any(queues.values()):
        for kind, queue in queues.items():
            if queue and len(queries) < count:
                name = queue.pop()
                queries.append(Drawn(kind, name, frozenset(holders[kind][name])))
    return queries


def misses(searcher: Searcher, queries: Iterable[Drawn]) -> list[tuple[Drawn, str]]:
    """Return the queries whose first hit is not right, with what came first."""
    wrong: list[tuple[Drawn, str]] = []
    for query in queries:
        hits = searcher.search(Query(query.text, k=1)).hits
        first = hits[0].document_id if hits else "nothing"
        if first not in query.right:
            wrong.append((query, first))
    return wrong


def queries_of(catalog: Catalog, collection: Collection, count: int, seed: int) -> list[Drawn]:
    """Draw from a collection: by name where its documents are named so, else from their texts."""
    documents = list(catalog.documents.all(collection))
    if any(document.metadata.get("kind") == "function" for document in documents):
        return drawn_from_names([document.id for document in documents], count, seed)
    return drawn_from_texts({document.id: f"{document.title}\n{document.text}" for document in documents}, count, seed)


def main() -> None:
    """Print how many first hits are right."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--collection", action="append", required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    home = Home.open(Settings.from_environment(home=options.home))
    for name in options.collection:
        collection = home.catalog.collections.get(name)
        queries = queries_of(home.catalog, collection, options.count, options.seed)
        with open_index(home.settings, home.catalog, collection) as index:
            index.apply_pending()
            searcher = Searcher(home.catalog, collection, index.store, partial(home.encoder, collection))
            wrong = misses(searcher, queries)
        print(f"{name}: {len(queries) - len(wrong)} of {len(queries)} right at rank 1")
        for query, first in wrong:
            print(f"  {query.kind} {query.text!r}: first came {first}")


if __name__ == "__main__":
    main()
