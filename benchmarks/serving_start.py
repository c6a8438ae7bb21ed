"""How long after its start does a service answer every search, and how much memory does it hold?

Short notes ingested with the real model, the service in a process of its own, started again and again with a warm disk.
Its memory is looked at after it has answered some queries. That it imports no torch, a test sees to.

    python -m benchmarks.serving_start [--repeats 7]
"""

import http.client
from pathlib import Path
from urllib.parse import quote

from benchmarks.harness import SHARED_DATA, Report, Spread, parser, progress, table, target
from benchmarks.homes import fresh_home, ingest
from benchmarks.services import served
from indexer.sources import SourceOptions, open_source

NAME = "serving_start"
NOTES = SHARED_DATA / "til"
READY_S, RESIDENT_MB = 2.0, 350.0
QUERIES = [f"{verb} a {noun}" for verb in ("read", "write", "copy", "test") for noun in ("file", "table", "module")]


def measured(home: Path) -> tuple[float, float]:
    """Start a service, ask it some queries, end it; return seconds until it was ready and resident megabytes."""
    with served(home) as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port)
        for query in QUERIES:
            connection.request("GET", f"/v1/search?q={quote(query)}")
            connection.getresponse().read()
        connection.close()
        return service.ready_s, service.resident_mb()


def main() -> None:
    """Measure, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--repeats", type=int, default=7)
    given = options.parse_args()
    if not NOTES.is_dir():
        raise SystemExit("The notes are not there: this benchmark needs ../shared/data/til.")
    with fresh_home() as home:
        summary = ingest(home, open_source(str(NOTES), SourceOptions()))
        measured(home.settings.home)
        progress("measuring")
        ready, resident = zip(*(measured(home.settings.home) for _ in range(given.repeats)), strict=True)
    rows = [["ready after, s", Spread.of(ready).shown()], ["resident, MB", Spread.of(resident).shown(0)]]
    targets = [
        target("Ready after, s", Spread.of(ready).median, READY_S),
        target("Resident after some searches, MB", Spread.of(resident).median, RESIDENT_MB),
    ]
    what = f"{summary.documents} notes in {summary.chunks} chunks, float32 encoder; {given.repeats} starts."
    Report(
        NAME, "A service's start", [what, table(["", "median (least to greatest)"], rows), "\n".join(targets)]
    ).write(given.out)


if __name__ == "__main__":
    main()
