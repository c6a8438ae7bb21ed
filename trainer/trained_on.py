"""What a model was trained on cannot judge it: which documents it was taught to find, by short digests of their ids.

The digests travel with a training set and with the model that it gives, so that this is known wherever it was trained.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from hashlib import blake2b

from retrieval.catalog import Catalog, ModelRecord
from retrieval.errors import UsageError
from trainer.evaluation_set import EvaluationSet

TRAINED_ON = "trained_on"
"""Where the provenance has the digests, one after the other."""
DIGITS = 8
_MOST = 20_000
"""Documents whose digests a provenance has room for."""


def digests(documents: Iterable[str], before: Set[str] = frozenset()) -> str:
    """Return the digests of documents' ids, and those that the base carries, sorted, as one string.

    Raises UsageError for more than a model can carry.
    """
    found = sorted({_digest(document) for document in documents} | before)
    if len(found) > _MOST:
        raise UsageError(
            f"The pairs teach a model to find {len(found)} documents, and it can only remember {_MOST} that may not "
            "judge it; train on fewer pairs (--max-pairs)."
        )
    return "".join(found)


def unseen(judged: EvaluationSet, catalog: Catalog, versions: Iterable[str]) -> EvaluationSet:
    """Return the judged queries that want no document which any of these versions was taught to find."""
    seen = set().union(*(taught(catalog, version) for version in versions))
    if not seen:
        return judged
    return judged.only({query for query, grades in judged.qrels.items() if seen.isdisjoint(_wanted(grades))})


def that_may_judge(judged: EvaluationSet, catalog: Catalog, versions: Sequence[str]) -> EvaluationSet:
    """Return the judged queries that want nothing which these versions were taught; UsageError where there is none."""
    kept = unseen(judged, catalog, versions)
    if judged.queries and not kept.queries:
        raise UsageError(
            f"All {len(judged.queries)} judged queries want documents that a model was trained on, and so cannot judge "
            "it. Judge others: `tandem judgments import`."
        )
    return kept


def _wanted(grades: Mapping[str, int]) -> set[str]:
    return {_digest(document) for document, grade in grades.items() if grade > 0}


def taught(catalog: Catalog, version: str) -> set[str]:
    """Return the digests of a version and of those that it was tuned from, one after the other."""
    records = catalog.models.list()
    known = {record.fingerprint: record for record in records}
    record: ModelRecord | None = next((one for one in records if one.version == version), None)
    found: set[str] = set()
    visited: set[str] = set()
    while record is not None and record.fingerprint not in visited:
        visited.add(record.fingerprint)
        training = record.provenance.get("training") or {}
        written = str(training.get(TRAINED_ON, ""))
        found |= {written[start : start + DIGITS] for start in range(0, len(written), DIGITS)}
        record = known.get(str((training.get("base") or {}).get("fingerprint", "")))
    return found


def _digest(document: str) -> str:
    return blake2b(document.encode("utf-8", "surrogatepass"), digest_size=DIGITS // 2).hexdigest()
