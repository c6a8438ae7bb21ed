"""Is there easy value in fine-tuning? `tandem train` from the first document to its verdict, on real corpora.

Each corpus is ingested into a collection of its own. Where it has judged queries, these judge; where it has none,
queries mined from its documents do. Everything else is as `tandem train` does it by default. A training takes up to an
hour or two; with a `--home` that is kept, what has ended is read and not done again.

    python -m benchmarks.fine_tuning [--corpora claude-docs,fastapi-docs,rust-blog,scifact-dev] [--home FOLDER]
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import SHARED_DATA, Report, parser, progress, table
from benchmarks.services import TANDEM

NAME = "fine_tuning"
LIBRARIES = ("torch", "sentence-transformers", "transformers")
MEASURES = ("ndcg@10", "recall@10", "success@1")
HEADER = [
    "corpus",
    "judging queries",
    "pairs: gain on dev ± its error",
    "embedding, nDCG@10",
    "hybrid, nDCG@10",
    "canary",
    "verdict on hybrid",
    "took",
]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents, and who judges: people (`qrels`, a split in BEIR's layout) or queries mined from the documents."""

    name: str
    documents: str = ""
    qrels: str = ""
    pairs: str = ""
    """A split of judged queries to train on, in place of mined pairs."""
    options: Sequence[str] = ()
    """Of `tandem train`."""

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return SHARED_DATA / self.name

    def commands(self) -> list[list[str]]:
        """Return the commands that come before the training."""
        queries = ["--queries", str(self.folder / "queries.jsonl")]
        judged = [*queries, "--qrels", str(self.folder / "qrels" / f"{self.qrels}.tsv")]
        brought = [*queries, "--qrels", str(self.folder / "qrels" / f"{self.pairs}.tsv"), "--source", "human"]
        return [
            ["ingest", str(self.folder / self.documents)],
            ["judgments", "import", *judged] if self.qrels else ["judgments", "mine"],
            *([["pairs", "import", *brought]] if self.pairs else []),
        ]


CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus("claude-docs", "corpus.jsonl", qrels="test"),
        Corpus("fastapi-docs", "docs"),
        Corpus("rust-blog", "content"),
        Corpus("scifact-dev", "corpus.jsonl", qrels="test", pairs="train", options=("--sources", "human")),
    )
}


@dataclass(frozen=True, slots=True)
class Told:
    """What the commands say of a corpus as JSON: before any training, of tuning the fusion, and of the training."""

    compared: dict[str, Any]
    tuned: dict[str, Any]
    trained: dict[str, Any]


def told(corpus: Corpus, home: Path) -> Told:
    """Return what is said of a corpus; what has ended in this home is read, and not done again."""
    compared, tuned = (home / f"{corpus.name}-{name}.json" for name in ("compared", "tuned"))
    trained = home / "training" / corpus.name
    if not (compared.exists() and tuned.exists() and any(trained.glob("*/report.json"))):
        for command in corpus.commands():
            run(command, corpus, home)
        arms = ["keyword", "hybrid", "--also", "embedding,reference-bm25"]
        run(["compare", *arms, "--report", str(compared.with_suffix(".html"))], corpus, home)
        tuned.write_text(run(["tune", "--dry-run", "--json"], corpus, home), encoding="utf-8")
        run(["train", *corpus.options, "--json"], corpus, home)
    return Told(_read(compared), _read(tuned), _read(max(trained.glob("*/report.json"))))


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def run(command: Sequence[str], corpus: Corpus, home: Path) -> str:
    """Run a command of Tandem's over the corpus' collection, and return what it prints; its progress is shown."""
    progress(f"{corpus.name}: tandem {command[0]}")
    line = [*TANDEM, *command, "--home", str(home), "--collection", corpus.name]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


def row(corpus: Corpus, report: dict[str, Any]) -> list[str]:
    """Return the line of the table."""
    asked = max((arm["queries"] for arm in report["arms"].values()), default=0)
    judges = f"{asked:,} " + ("asked by people" if corpus.qrels else "mined")
    embedding, hybrid = report["embedding_comparison"], report["comparison"]
    if hybrid is None:
        return [corpus.name, judges, pairs_of(report), *["the base is kept"] * 3, report["verdict"], taken(report)]
    asked_too = report["canary"]
    canary = f"{asked_too['before']:.3f} to {asked_too['after']:.3f}" if asked_too else "not asked"
    return [
        corpus.name,
        judges,
        pairs_of(report),
        change(report, embedding),
        change(report, hybrid),
        canary,
        report["verdict"],
        taken(report),
    ]


def pairs_of(report: dict[str, Any]) -> str:
    """Return how many pairs were trained on, and what more of them brought on dev."""
    gains = ", ".join(f"{point['pairs']}: {point['gain']:+.3f} ± {point['error']:.3f}" for point in report["curve"])
    return gains or "none"


def change(report: dict[str, Any], comparison: dict[str, Any]) -> str:
    """Return nDCG@10 before and after, and the interval of the difference."""
    before, after = (report["arms"][comparison[arm]]["ndcg@10"] for arm in ("a", "b"))
    low, high = comparison["interval"]
    return f"{before:.4f} to {after:.4f}: {comparison['effect']:+.4f} ({low:+.4f} to {high:+.4f})"


def taken(report: dict[str, Any]) -> str:
    """Return how long it took in all, and how fast the steps were."""
    speed = f", {report['pairs_per_s']:.1f} pairs/s" if report["pairs_per_s"] else ""
    return f"{report['seconds']['total'] / 60:.0f} min{speed}"


def arms_of(corpus: Corpus, report: dict[str, Any], when: str) -> list[list[str]]:
    """Return a line for each arm of a report."""
    return [
        [f"{corpus.name}, {when}", name, *(f"{arm[measure]:.3f}" for measure in MEASURES), str(arm["queries"])]
        for name, arm in report["arms"].items()
    ]


def slices_of(corpus: Corpus, comparison: dict[str, Any]) -> list[list[str]]:
    """Return a line for a comparison, and one for each kind of queries in it."""
    kinds = {"all": comparison, **comparison["slices"]}
    return [
        [f"{corpus.name}: {comparison['b']} against {comparison['a']}", kind, interval(found), str(found["queries"])]
        for kind, found in kinds.items()
    ]


def interval(found: dict[str, Any]) -> str:
    """Return an effect with its interval."""
    low, high = found["interval"]
    return f"{found['effect']:+.3f} ({low:+.3f} to {high:+.3f})"


def main() -> None:
    """Train on each corpus, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--corpora", default=",".join(CORPORA))
    options.add_argument("--home", type=Path, help="a home that is kept (default: one that is deleted)")
    given = options.parse_args()
    corpora = [CORPORA[name] for name in given.corpora.split(",")]
    if missing := [corpus.name for corpus in corpora if not corpus.folder.is_dir()]:
        raise SystemExit(f"Not there: {', '.join(missing)}. This benchmark needs ../shared/data.")
    with tempfile.TemporaryDirectory() if given.home is None else nullcontext(given.home) as folder:
        found = {corpus: told(corpus, Path(folder)) for corpus in corpora}
    Report(NAME, "Is fine-tuning worth it?", list(parts_of(found)), LIBRARIES).write(given.out)


def parts_of(found: dict[Corpus, Told]) -> Iterator[str]:
    """Yield the parts of the result: the verdicts, what search could do before, the kinds of queries, and tuning."""
    yield (
        "nDCG@10 before and after a training, with the 95 % interval of the difference. No model was chosen by the "
        "judging queries. Where mined queries judge, a training holds out the newest documents, and only their queries "
        "judge; before it, all do."
    )
    yield table(HEADER, [row(corpus, one.trained) for corpus, one in found.items()])
    lines = [
        line
        for corpus, one in found.items()
        for report, when in ((one.compared, "before"), (one.trained, "trained"))
        for line in arms_of(corpus, report, when)
    ]
    yield table(["corpus", "arm", *MEASURES, "queries"], lines)
    lines = [
        line
        for corpus, one in found.items()
        for comparison in (*one.compared["comparisons"], one.trained["comparison"])
        if comparison is not None
        for line in slices_of(corpus, comparison)
    ]
    yield table(["what", "kind of queries", "effect on nDCG@10", "queries"], lines)
    lines = [[corpus.name, interval(one.tuned), "; ".join(one.tuned["reasons"])] for corpus, one in found.items()]
    yield table(["corpus", "`tandem tune`, on queries held out", "why it was adopted, or not"], lines)


if __name__ == "__main__":
    main()
