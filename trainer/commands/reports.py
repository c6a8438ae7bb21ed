"""Reports as commands write them: a page to read, and the same as JSON beside it."""

import json
import os
from pathlib import Path

from retrieval.console import note
from retrieval.errors import UsageError
from retrieval.types import JsonValue


def check_report(report: Path) -> None:
    """Raise UsageError for a path that cannot be written, before anything is measured for it."""
    if report.suffix.lower() == ".json" or report.is_dir():
        raise UsageError(f"--report {report} is to be a page; give a file such as report.html. JSON goes beside it.")
    if not report.absolute().parent.is_dir():
        raise UsageError(f"--report {report}: there is no folder {report.absolute().parent}; make it first.")
    if not may_write(report):
        raise UsageError(f"--report {report} cannot be written; give another path.")


def may_write(path: Path) -> bool:
    """Tell whether a file may be written, as far as can be told without writing it."""
    return os.access(path if path.exists() else path.absolute().parent, os.W_OK)


def write_report(path: Path, page: str, content: JsonValue) -> None:
    """Write a report, and say where; raises UsageError where that fails."""
    try:
        path.write_text(page, encoding="utf-8")
        beside = path.with_suffix(".json")
        beside.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename or path} cannot be written ({error.strerror}); give a path.") from None
    note(f"Wrote {path} and {beside}")
