"""Group texts by the runs of five words that they share."""

import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.audit.reading import words_of

SIMILAR = 0.8
RUN = 5
LEAST_WORDS = 20
"""A shorter text has too few runs for their overlap to mean anything."""
BANDS, ROWS = 20, 6
"""A pair is a candidate where one band of the signatures agrees: at similarity .8, 1 - (1 - .8^6)^20 = .998."""
COMPARED_PER_GROUP = 5
"""A text is compared with so many of a group's members before it is held not to belong there."""
INDEXED_PER_GROUP = 50
"""Further members of a group are not offered to later texts: thousands of pages from one template stay cheap."""

_MULTIPLIERS = np.array([pow(0x9E3779B97F4A7C15, power, 2**64) for power in range(1, RUN + 1)], dtype=np.uint64)

Shingles = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class LinkedGroup:
    """Indices of texts that links of at least 0.8 connect, and the least similarity of those links."""

    members: tuple[int, ...]
    least: float


def linked_groups(texts: Sequence[str]) -> list[LinkedGroup]:
    """Return the groups of two or more similar texts, largest first."""
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]  # it ships no types

    shingles = {i: found for i, text in enumerate(texts) if (found := shingles_of(text)) is not None}
    forest = _Forest(list(shingles))
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    hashes = (found.tolist() for found in shingles.values())
    signatures = MinHash.generator(hashes, num_perm=BANDS * ROWS, hashfunc=int, seed=1)
    for one, signature in zip(shingles, signatures, strict=True):
        _link(one, sorted(index.query(signature)), shingles, forest)
        if forest.size(one) <= INDEXED_PER_GROUP:
            index.insert(one, signature)
    return sorted(forest.groups(), key=lambda group: (-len(group.members), group.members))


def _link(one: int, candidates: Sequence[int], shingles: Mapping[int, Shingles], forest: "_Forest") -> None:
    """Join a text to the groups of those candidates that are similar to it."""
    compared: Counter[int] = Counter()
    for other in candidates:
        root = forest.root(other)
        compared[root] += 1
        if root == forest.root(one) or compared[root] > COMPARED_PER_GROUP:
            continue
        similarity = jaccard(shingles[one], shingles[other])
        if similarity >= SIMILAR:
            forest.join(one, other, similarity)


def shingles_of(text: str) -> Shingles | None:
    """Return the hashes of the text's runs of five words, ascending and unique; None where it is too short."""
    words = words_of(text)
    if len(words) < LEAST_WORDS:
        return None
    hashes = np.array([zlib.crc32(word.encode("utf-8", "replace")) for word in words], dtype=np.uint64)
    mixed = np.lib.stride_tricks.sliding_window_view(hashes, RUN) @ _MULTIPLIERS
    mixed ^= mixed >> np.uint64(29)
    return np.unique((mixed * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(32)).astype(np.uint32))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Return the size of the intersection over that of the union."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


class _Forest:
    """Disjoint sets of indices, each named by its smallest, with the least similarity of the links that made it."""

    def __init__(self, members: Sequence[int]) -> None:
        self._parents = {index: index for index in members}
        self._least: dict[int, float] = {}
        self._sizes = dict.fromkeys(members, 1)

    def root(self, index: int) -> int:
        while self._parents[index] != index:
            self._parents[index] = self._parents[self._parents[index]]
            index = self._parents[index]
        return index

    def join(self, one: int, other: int, similarity: float) -> None:
        upper, lower = sorted((self.root(one), self.root(other)))
        self._parents[lower] = upper
        self._sizes[upper] += self._sizes[lower]
        self._least[upper] = min(similarity, self._least.get(upper, 1.0), self._least.get(lower, 1.0))

    def size(self, index: int) -> int:
        return self._sizes[self.root(index)]

    def groups(self) -> list[LinkedGroup]:
        members: dict[int, list[int]] = defaultdict(list)
        for index in self._parents:
            members[self.root(index)].append(index)
        return [LinkedGroup(tuple(found), self._least[root]) for root, found in members.items() if len(found) > 1]
