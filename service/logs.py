"""The log of a process that runs on: a line for people, or one JSON object a line for programs.

What stands in it at INFO is what happened, never what somebody looked for, wrote or signed in with.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import typer

from retrieval.errors import TandemError, UsageError
from retrieval.settings import Settings

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered; it stands in every line that is logged meanwhile."""
JOB: ContextVar[int | None] = ContextVar("job", default=None)
"""The number of the job that is being done."""
FIELDS = ("request_id", "method", "path", "status", "duration_ms", "job")
"""What a line may carry beside time, level, logger, message and exception."""

Tell = Callable[[str], None]
"""Tells whoever started the process something that is no trouble."""

told = logging.getLogger("tandem.told")
logger = logging.getLogger("tandem")


def one_line(text: str) -> str:
    """Return a text without line breaks and what a terminal would obey: it may quote what strangers wrote."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


class TextLines(logging.Formatter):
    """Writes a record as one line for people; only a traceback has lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the library's name
        """Return the line."""
        return one_line(super().formatMessage(record))


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object on one line, whatever it holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in _fields(record).items() if value not in (None, "")},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    around = {"request_id": REQUEST.get(), "job": JOB.get()}
    return {name: getattr(record, name, around.get(name)) for name in FIELDS}


@contextmanager
def about_job(number: int) -> Iterator[None]:
    """Let every line that is logged meanwhile carry the job's number."""
    token = JOB.set(number)
    try:
        yield
    finally:
        JOB.reset(token)


@contextmanager
def logging_as_set(settings: Settings) -> Iterator[Tell]:
    """Log as the settings say, to stderr; in JSON what ends the process is a line as well, with its exit code kept."""
    logging.getLogger().setLevel(settings.log_level)
    if settings.log_format == "text":  # as the command line's entry point has it
        from retrieval.console import note  # loads the catalog, which the list of commands does without

        yield note
        return
    _log_in_json()
    try:
        yield told.info
    except TandemError as error:
        logger.critical("%s", error)
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


def _log_in_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.getLogger().handlers[:] = [handler]
    told.setLevel(logging.INFO)  # whatever the level: it says where the service answers
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: logger.critical("It failed.", exc_info=(kind, error, trace))
    threading.excepthook = _thread_failed


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        logger.error("A thread failed.", exc_info=failed.exc_value)
