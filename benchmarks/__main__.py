"""Run every benchmark at its default size, one after the other; the peers need more installed and run on their own."""

import subprocess
import sys

from benchmarks.harness import RESULTS

BENCHMARKS = (
    "startup",
    "bm25_peer",
    "ingest_throughput",
    "query_latency",
    "verdict_simulation",
    "serving_start",
    "serving_load",
)


def main() -> int:
    """Return 0 when all ran; what they found is in the results, met or not."""
    failed = [
        name
        for name in BENCHMARKS
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    ]
    print(f"The results are in {RESULTS.relative_to(RESULTS.parents[1])}/.")
    if failed:
        print(f"These failed: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
