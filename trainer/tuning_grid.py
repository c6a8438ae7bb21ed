"""The settings that tuning chooses among, and what hybrid search is worth with each of them, query by query."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retrieval.catalog import Collection, CollectionConfig
from retrieval.home import Home
from retrieval.search import Findings
from retrieval.types import Mode
from trainer.arms import Arm
from trainer.evaluation_set import EvaluationSet
from trainer.masking import MaskedTexts
from trainer.runs import Runner

K1S = (0.6, 0.9, 1.2, 1.6, 2.0)
BS = (0.3, 0.5, 0.75, 0.9)
WEIGHTS = tuple(step / 20 for step in range(21))
CALIBRATED, RRF = "calibrated", "rrf"
MEASURED_RANKS = 10

Scores = NDArray[np.float64]
"""nDCG@10 by setting and query, of shape (settings, queries)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is tuned of a collection's config; the weight means nothing to reciprocal rank fusion."""

    k1: float
    b: float
    fusion: str
    embedding_weight: float

    @classmethod
    def of(cls, config: CollectionConfig) -> "Setting":
        """Return what a config says."""
        return cls(config.k1, config.b, config.fusion, config.embedding_weight)

    def within(self, config: CollectionConfig) -> CollectionConfig:
        """Return the config with this setting in it."""
        return replace(config, **asdict(self))

    @property
    def weighing(self) -> tuple[float, float]:
        """BM25's k1 and b: what the index is made with."""
        return self.k1, self.b

    def __str__(self) -> str:
        fusion = f"{self.fusion}, embedding weight {self.embedding_weight:g}" if self.fusion != RRF else RRF
        return f"{fusion}, k1 {self.k1:g}, b {self.b:g}"


def grid(present: Setting) -> list[Setting]:
    """Return the settings to choose among: the present one first, then those that change less of it."""
    settings = [
        Setting(k1, b, fusion, weight)
        for k1 in sorted({*K1S, present.k1})
        for b in sorted({*BS, present.b})
        for fusion, weights in ((CALIBRATED, {*WEIGHTS, present.embedding_weight}), (RRF, {present.embedding_weight}))
        for weight in sorted(weights)
    ]
    return sorted(settings, key=lambda setting: _distance(setting, present))


def _distance(setting: Setting, present: Setting) -> tuple[int, float]:
    """How many things a setting changes, and by how much: for settings that are worth the same."""
    pairs = list(zip(asdict(setting).values(), asdict(present).values(), strict=True))
    moved = math.fsum(abs(new - old) for new, old in pairs if not isinstance(new, str))
    return sum(new != old for new, old in pairs), moved


def scores(
    home: Home,
    collection: Collection,
    judged: EvaluationSet,
    settings: Sequence[Setting],
    *,
    on_weighing: Callable[[int, int], None] = lambda _done, _all: None,
) -> Scores:
    """Measure hybrid search with every setting on every query.

    `on_weighing` is called before each k1 and b, with how many are done and how many there are.

    The embedding leg is searched once and the keyword leg once for each k1 and b; then they are fused in every way.
    Raises what a Runner raises.
    """
    arm = Arm(Mode.EMBEDDING, collection.config.model)
    masked = MaskedTexts(home.catalog, collection, judged.masks)
    embedding = Runner(home, collection, [arm], judged, masked=masked).findings(arm)
    grades = _by_row(home, collection, judged)
    found = np.empty((len(settings), len(judged.queries)))
    weighings = list(dict.fromkeys(setting.weighing for setting in settings))
    for done, weighing in enumerate(weighings):
        on_weighing(done, len(weighings))
        keyword_arm, weighed = Arm(Mode.KEYWORD), _weighed(collection, *weighing)
        keyword = Runner(home, weighed, [keyword_arm], judged, masked=masked).findings(keyword_arm)
        places = [place for place, setting in enumerate(settings) if setting.weighing == weighing]
        for column, query in enumerate(judged.queries):
            both = joined(keyword[query], embedding[query])
            found[places, column] = [ndcg(ranked(both, settings[place]), grades[query]) for place in places]
    return found


def _weighed(collection: Collection, k1: float, b: float) -> Collection:
    return replace(collection, config=replace(collection.config, k1=k1, b=b))


def _by_row(home: Home, collection: Collection, judged: EvaluationSet) -> dict[str, dict[int, int]]:
    """Return the qrels by the rows that rankings name documents by; those that are not there get negative ones."""
    known = {document for grades in judged.qrels.values() for document in grades}
    rows = {document: row for row, document in home.catalog.documents.rows(collection, known).items()}
    return {
        query: {rows.get(document, -1 - place): grade for place, (document, grade) in enumerate(grades.items())}
        for query, grades in judged.qrels.items()
    }


def joined(keyword: Findings, embedding: Findings) -> Findings:
    """Return the findings of two legs searched apart as those of one hybrid search, which finds the same."""
    how = replace(
        keyword.how, scales={**keyword.how.scales, **embedding.how.scales}, cut=keyword.how.cut | embedding.how.cut
    )
    return replace(keyword, legs={**keyword.legs, **embedding.legs}, how=how)


def ranked(findings: Findings, setting: Setting) -> tuple[int, ...]:
    """Return the rows of the first documents when the findings are fused as a setting says."""
    how = replace(findings.how, method=setting.fusion, embedding_weight=setting.embedding_weight)
    return replace(findings, how=how).ranking().order[:MEASURED_RANKS]


def ndcg(ranked: Sequence[int], grades: Mapping[int, int]) -> float:
    """Return nDCG@10 with linear gains, as trec_eval defines it (Järvelin and Kekäläinen, TOIS 2002); 0 without any."""
    ideal = _gain(sorted(grades.values(), reverse=True))
    return _gain([grades.get(row, 0) for row in ranked]) / ideal if ideal else 0.0


def _gain(grades: Sequence[int]) -> float:
    return math.fsum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades[:MEASURED_RANKS], 1))
