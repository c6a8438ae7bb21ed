"""Mine queries: what documents offer, sifted by what readers would object to, drawn evenly from what is left."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from retrieval.types import Document
from trainer.known_items.candidates import Candidate, Source, candidates_of
from trainer.known_items.objections import Judge, Objection, Reason, strings_of
from trainer.known_items.words import Words

_EXAMPLES = 5
_RANK = {source: rank for rank, source in enumerate(Source)}


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A query and the one document it was mined for.

    `duplicates` are near copies of that document, which answer as well; `group` names all of them together, by the
    smallest of their ids, for resampling and splitting. `strings` give the query away verbatim and are to be masked in
    the document and its duplicates.
    """

    text: str
    source: str
    document: str
    duplicates: tuple[str, ...]
    group: str
    strings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mined:
    """Queries, how many come from each source, and why other texts became none, with a few of them by reason."""

    items: tuple[KnownItem, ...]
    sources: Mapping[str, int]
    dropped: Counter[str]
    examples: Mapping[str, tuple[str, ...]]


def mine(
    documents: Sequence[Document],
    *,
    limit: int | None = None,
    per_document: int = 3,
    seed: int = 0,
    language: str = "english",
) -> Mined:
    """Return the queries that documents offer, at most `per_document` of one and its near copies.

    With a `limit` they are drawn evenly from sources and documents. The same documents, whatever their order, and the
    same seed give the same queries.
    """
    documents = sorted(documents, key=lambda document: document.id)
    groups = groups_of(documents)
    sieve = _Sieve()
    candidates = list(candidates_of(documents))
    judge = Judge(documents, groups, candidates, Words(language))
    good = sieve.sifted(candidates, [judge.objection, judge.is_ambiguous(candidates)])
    further = [judge.is_barren, judge.is_repeated(), judge.is_crowded()]
    ordered = _by_turns(_shuffled(good, seed), groups, judge)
    kept = sieve.sifted(ordered, [_unless_full(groups, per_document, further)])
    chosen = kept if limit is None else _evenly(kept, groups, limit)
    items = _items(sorted(chosen, key=_order), documents, groups)
    return Mined(items, Counter(item.source for item in items), sieve.counts, sieve.examples())


def groups_of(documents: Sequence[Document]) -> list[str]:
    """Name the group of each document, itself and its near copies, by the smallest of their ids."""
    from indexer.audit.reading import normalised
    from indexer.audit.shingles import linked_groups

    by_text: dict[str, list[int]] = defaultdict(list)
    for place, document in enumerate(documents):
        by_text[normalised(document.text) or f"\0{place}"].append(place)
    copies = list(by_text.values())
    linked = linked_groups([documents[places[0]].text for places in copies])
    merged = [[place for i in group.members for place in copies[i]] for group in linked]
    names = [document.id for document in documents]
    for places in [*copies, *merged]:
        name = min(documents[place].id for place in places)
        for place in places:
            names[place] = name
    return names


@dataclass(slots=True)
class _Sieve:
    """Keeps the candidates without an objection, and counts the others by their first one."""

    counts: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def sifted(self, candidates: Iterable[Candidate], objections: Sequence[Objection]) -> list[Candidate]:
        return [candidate for candidate in candidates if not self._holds_back(candidate, objections)]

    def examples(self) -> dict[str, tuple[str, ...]]:
        return {reason: tuple(texts) for reason, texts in self._examples.items()}

    def _holds_back(self, candidate: Candidate, objections: Sequence[Objection]) -> bool:
        reason = _first(objections, candidate)
        if reason is None:
            return False
        self.counts[reason.value] += 1
        if len(self._examples[reason.value]) < _EXAMPLES:
            self._examples[reason.value].append(candidate.text)
        return True


def _shuffled(candidates: Sequence[Candidate], seed: int) -> list[Candidate]:
    """Return candidates in an order of chance, those of the most telling source first."""
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    shuffled = chance.sample(candidates, len(candidates))
    return sorted(shuffled, key=lambda candidate: _RANK[candidate.source])


def _by_turns(candidates: Iterable[Candidate], groups: Sequence[str], judge: Judge) -> Iterator[Candidate]:
    """Yield one group's after another's: its sources take turns, and plain headings come last, the rarest first."""
    by_group: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_group[groups[candidate.place]].append(candidate)
    for own in by_group.values():
        turns: Counter[Source] = Counter()
        keyed: list[tuple[tuple[bool, int], Candidate]] = []
        for candidate in own:
            is_heading = candidate.source is Source.HEADING
            keyed.append(((is_heading, judge.matches(candidate) if is_heading else turns[candidate.source]), candidate))
            turns[candidate.source] += 1
        yield from (candidate for _, candidate in sorted(keyed, key=lambda entry: entry[0]))


def _unless_full(groups: Sequence[str], most: int, objections: Sequence[Objection]) -> Objection:
    """Object to what comes after `most` candidates of one group; only those count to which nothing else objects."""
    counts: Counter[str] = Counter()

    def objection(candidate: Candidate) -> Reason | None:
        own = groups[candidate.place]
        if counts[own] >= most:
            return Reason.ENOUGH
        reason = _first(objections, candidate)
        counts[own] += reason is None
        return reason

    return objection


def _first(objections: Iterable[Objection], candidate: Candidate) -> Reason | None:
    return next((reason for object_to in objections if (reason := object_to(candidate))), None)


def _evenly(candidates: Sequence[Candidate], groups: Sequence[str], limit: int) -> list[Candidate]:
    """Take one of each source in turn, each time of a document that has been asked of least."""
    asked: Counter[str] = Counter()
    queues: dict[Source, list[tuple[int, int]]] = defaultdict(list)
    for place, candidate in enumerate(candidates):
        queues[candidate.source].append((0, place))
    chosen: list[Candidate] = []
    while queues and len(chosen) < limit:
        for source in sorted(queues, key=_RANK.__getitem__)[: limit - len(chosen)]:
            place = _least_asked(queues[source], candidates, groups, asked)
            asked[groups[candidates[place].place]] += 1
            chosen.append(candidates[place])
        queues = {source: queue for source, queue in queues.items() if queue}
    return chosen


def _least_asked(
    queue: list[tuple[int, int]], candidates: Sequence[Candidate], groups: Sequence[str], asked: Counter[str]
) -> int:
    """Pop from a heap of (times asked when it was pushed, place); an entry out of date goes back."""
    while True:
        count, place = heappop(queue)
        now = asked[groups[candidates[place].place]]
        if now == count:
            return place
        heappush(queue, (now, place))


def _items(
    candidates: Iterable[Candidate], documents: Sequence[Document], groups: Sequence[str]
) -> tuple[KnownItem, ...]:
    members: dict[str, list[str]] = defaultdict(list)
    for document, group in zip(documents, groups, strict=True):
        members[group].append(document.id)
    items: list[KnownItem] = []
    for candidate in candidates:
        own, group = documents[candidate.place].id, groups[candidate.place]
        others = tuple(member for member in members[group] if member != own)
        items.append(KnownItem(candidate.text, candidate.source.value, own, others, group, strings_of(candidate)))
    return tuple(items)


def _order(candidate: Candidate) -> tuple[int, int, str]:
    return candidate.place, _RANK[candidate.source], candidate.text
