"""Splits without leaks: whole groups of documents are held out, the newest where dates are known, never single pairs.

No pair trains on a document that a test query wants, nor on a near copy of it. What is left is parted once more, for
choosing checkpoints and weights: dev. The same input and seed give the same split.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from retrieval.analysis import Analyzer
from retrieval.catalog.pairs import Pair
from retrieval.types import Document, JsonValue
from trainer.evaluation_set import EvaluationSet
from trainer.known_items.mining import groups_of
from trainer.query_records import is_mined

TEST_SHARE = 0.4
"""The share of groups held out where mined test queries want more than that of all there are."""
DEV_SHARE = 0.15
LEAST_DEV, MOST_DEV = 60, 300
"""Dev queries: fewer cannot tell checkpoints apart, more take longer to rank than to train on."""
DEV_AT_MOST = 0.3
"""Of the groups that could be trained on, however few dev queries that makes."""
DATED = 0.9
"""Groups are held out by time where this share of the documents says when it was made."""
NEAR = 0.75
"""Queries are near-duplicates from this share of common index terms on, of all that either has (Jaccard)."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The group of each document, and groups in the order in which they are held out: newest first, or by chance."""

    of: Mapping[str, str]
    order: Sequence[str]
    by_time: bool

    @classmethod
    def read(cls, documents: Iterable[Document], *, seed: int) -> "Groups":
        """Group documents with their near copies, and put the groups in the order that `seed` gives."""
        known = sorted(documents, key=lambda document: document.id)
        names = groups_of(known)
        newest: dict[str, str] = {}
        for document, name in zip(known, names, strict=True):
            newest[name] = max(newest.get(name, ""), document.created or document.updated or "")
        dated = sum(1 for date in newest.values() if date)
        by_time = bool(newest) and dated >= DATED * len(newest)
        order = sorted(newest, key=lambda name: _chance(seed, name))
        if by_time:
            order.sort(key=lambda name: newest[name], reverse=True)
        return cls({document.id: name for document, name in zip(known, names, strict=True)}, order, by_time)

    def documents_of(self, pairs: Iterable[Pair]) -> set[str]:
        """Return the documents that pairs want, and their near copies."""
        names = {self.of.get(pair.document) for pair in pairs}
        return {document for document, name in self.of.items() if name in names}


@dataclass(frozen=True, slots=True)
class Split:
    """What is trained on, what chooses, and what judges. `left_out` counts pairs by the reason why they are in none."""

    train: Sequence[Pair]
    dev: Sequence[Pair]
    test: EvaluationSet
    left_out: Mapping[str, int]
    by_time: bool
    seed: int
    groups: Mapping[str, int]
    """How many groups each part has."""

    def record(self) -> dict[str, JsonValue]:
        """Return how it was split, for who asks later."""
        return {
            "held_out": "the newest documents" if self.by_time else "documents drawn by chance",
            "seed": self.seed,
            "groups": dict(self.groups),
            "pairs": {"train": len(self.train), "dev": len(self.dev)},
            "test_queries": len(self.test.queries),
            "left_out": dict(self.left_out),
        }


def split(
    pairs: Sequence[Pair], judged: EvaluationSet, groups: Groups, *, language: str = "english", seed: int = 0
) -> Split:
    """Part the pairs and the judged queries.

    Every judged query that people asked is a test query; of mined ones, where they want most groups, those of the
    groups held out. Dev queries are those of pairs brought from elsewhere, if these are enough, else of all.
    """
    test = _tested(judged, groups)
    wanted = _groups_wanted(test, groups)
    left_out: Counter[str] = Counter()
    kept = list(_unlike(pairs, test, wanted, groups, language=language, left_out=left_out))
    eligible = _eligible(kept)
    held = _dev_groups(eligible, groups)
    dev = _dev_queries([pair for pair in eligible if _group(pair, groups) in held], seed=seed)
    near = near_duplicates({pair.query for pair in kept}, [pair.query for pair in dev], Analyzer(language))
    train = [pair for pair in kept if _group(pair, groups) not in held and pair.query not in near]
    if unused := len(kept) - len(train) - len(dev):
        left_out["of a document or query that chooses"] = unused
    sizes = {
        "train": len({_group(pair, groups) for pair in train}),
        "dev": len({_group(pair, groups) for pair in dev}),
        "test": len(wanted),
    }
    return Split(train, dev, test, left_out, groups.by_time, seed, sizes)


def _chance(seed: int, name: str) -> bytes:
    return blake2b(f"{seed}\0{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _group(pair: Pair, groups: Groups) -> str:
    return groups.of.get(pair.document, pair.group)


def _tested(judged: EvaluationSet, groups: Groups) -> EvaluationSet:
    """Return the queries that judge: all of them, or of the mined ones those whose groups are held out."""
    mined = [query for query in judged.queries if is_mined(judged.sources.get(query, ""))]
    wanted = {query: _wanted_by(query, judged, groups) for query in mined}
    asked = set().union(*wanted.values()) if wanted else set()
    most = round(TEST_SHARE * len(groups.order))
    if len(asked) <= most:
        return judged
    held = set([name for name in groups.order if name in asked][:most])
    return judged.only({query for query in judged.queries if query not in wanted or wanted[query] <= held})


def _wanted_by(query: str, judged: EvaluationSet, groups: Groups) -> set[str]:
    return {
        groups.of[document] for document, grade in judged.qrels[query].items() if grade > 0 and document in groups.of
    }


def _groups_wanted(test: EvaluationSet, groups: Groups) -> set[str]:
    return set().union(*(_wanted_by(query, test, groups) for query in test.queries)) if test.queries else set()


def _unlike(
    pairs: Sequence[Pair],
    test: EvaluationSet,
    wanted: set[str],
    groups: Groups,
    *,
    language: str,
    left_out: Counter[str],
) -> Iterable[Pair]:
    """Yield the pairs that share neither a group nor, nearly, a query with the test; count the others."""
    near = near_duplicates({pair.query for pair in pairs}, test.queries.values(), Analyzer(language))
    for pair in pairs:
        if pair.document not in groups.of:
            left_out["of a document that is gone"] += 1
        elif _group(pair, groups) in wanted:
            left_out["of a document that test queries want"] += 1
        elif pair.query in near:
            left_out["asked in nearly the same words by a test query"] += 1
        else:
            yield pair


def near_duplicates(queries: set[str], asked: Iterable[str], analyzer: Analyzer) -> set[str]:
    """Return those queries that are asked already in these words, or in nearly these, whatever their order and form."""
    wanted = [frozenset(analyzer.query_terms(text)) for text in asked]
    holders: dict[str, list[int]] = defaultdict(list)
    for place, terms in enumerate(wanted):
        for term in terms:
            holders[term].append(place)

    def is_near(query: str) -> bool:
        terms = frozenset(analyzer.query_terms(query))
        shared = Counter(place for term in terms for place in holders.get(term, ()))
        return any(count >= NEAR * len(terms | wanted[place]) for place, count in shared.items())

    return set(filter(is_near, queries))


def _eligible(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """Return the pairs to choose by: those brought from elsewhere, if these are enough, else all."""
    brought = [pair for pair in pairs if not pair.is_mined]
    return brought if len({pair.query for pair in brought}) >= LEAST_DEV / DEV_AT_MOST else pairs


def _dev_groups(eligible: Sequence[Pair], groups: Groups) -> set[str]:
    """Return the groups held out for choosing, in the order of holding out, until their queries are enough.

    With a group goes every other one that answers a query of its own.
    """
    queries: dict[str, set[str]] = defaultdict(set)
    answers: dict[str, set[str]] = defaultdict(set)
    for pair in eligible:
        queries[_group(pair, groups)].add(pair.query)
        answers[pair.query].add(_group(pair, groups))
    wanted = min(MOST_DEV, max(LEAST_DEV, round(DEV_SHARE * len(answers))))
    held: set[str] = set()
    asked: set[str] = set()
    for name in groups.order:
        if len(asked) >= wanted or len(held) >= round(DEV_AT_MOST * len(queries)):
            break
        held |= {name}.intersection(queries).union(*(answers[query] for query in queries.get(name, ())))
        asked |= queries.get(name, set())
    return held


def _dev_queries(pairs: Sequence[Pair], *, seed: int) -> list[Pair]:
    """Return the pairs of as many queries as are needed, those of one query together."""
    chosen = set(sorted({pair.query for pair in pairs}, key=lambda query: _chance(seed, query))[:MOST_DEV])
    return [pair for pair in pairs if pair.query in chosen]
