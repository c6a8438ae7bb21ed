"""Is there easy value in fine-tuning? `tandem train` from the first document to its verdict, on real corpora.

Each corpus is ingested into a collection of its own. Where it has judged queries, these judge; where it has none,
queries mined from its documents do. Everything else is as `tandem train` does it by default. A training takes up to an
hour or two; with a `--home` that is kept, what has ended is read and not done again.

    python -m benchmarks.fine_tuning [--corpora claude-docs,fastapi-docs,rust-blog,scifact-dev] [--home FOLDER]
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import SHARED_DATA, Report, parser, progress, table
from benchmarks.services import TANDEM

NAME = "fine_tuning"
LIBRARIES = ("torch", "sentence-transformers", "transformers")


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
        Corpus("fastapi-docs"),
        Corpus("rust-blog"),
        Corpus("scifact-dev", "corpus.jsonl", qrels="test", pairs="train", options=("--sources", "human")),
    )
}


def told(corpus: Corpus, home: Path) -> dict[str, Any]:
    """Return what `tandem train --json` says of a corpus; a training that ended in this home is not done again."""
    found = sorted((home / "training" / corpus.name).glob("*/report.json"))
    if not found:
        for command in corpus.commands():
            run(command, corpus, home)
        run(["train", *corpus.options], corpus, home)
        found = sorted((home / "training" / corpus.name).glob("*/report.json"))
    report: dict[str, Any] = json.loads(found[-1].read_text(encoding="utf-8"))
    return report


def run(command: Sequence[str], corpus: Corpus, home: Path) -> None:
    """Run a command of Tandem's over the corpus' collection; its progress is shown."""
    progress(f"{corpus.name}: tandem {command[0]}")
    subprocess.run([*TANDEM, *command, "--home", str(home), "--collection", corpus.name], check=True)


def row(corpus: Corpus, report: dict[str, Any]) -> list[str]:
    """Return the line of the table."""
    asked = max((arm["queries"] for arm in report["arms"].values()), default=0)
    judges = f"{asked:,} " + ("asked by people" if corpus.qrels else "mined")
    embedding, hybrid = report["embedding_comparison"], report["comparison"]
    if hybrid is None:
        return [corpus.name, judges, pairs_of(report), *["the base is kept"] * 3, report["verdict"], taken(report)]
    canary = f"{report['canary']['effect']:+.4f}" if report["canary"] else "not asked"
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
        reports = {corpus: told(corpus, Path(folder)) for corpus in corpora}
    header = [
        "corpus",
        "judging queries",
        "pairs: gain on dev ± its error",
        "embedding, nDCG@10",
        "hybrid, nDCG@10",
        "canary",
        "verdict on hybrid",
        "took",
    ]
    what = (
        "nDCG@10 before and after a training, with the 95 % interval of the difference. No model was chosen by the "
        "judging queries."
    )
    Report(
        NAME,
        "Is fine-tuning worth it?",
        [what, table(header, [row(corpus, report) for corpus, report in reports.items()])],
        LIBRARIES,
    ).write(given.out)


if __name__ == "__main__":
    main()
