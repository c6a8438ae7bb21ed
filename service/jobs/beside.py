"""A worker beside a service, in a process of its own: begun again if it ends, and ended with the service."""

import logging
import os
import subprocess  # our own interpreter and module
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from retrieval.settings import Settings
from service.jobs.working import SHUTDOWN_S

logger = logging.getLogger(__name__)

AGAIN_S = 5.0


@contextmanager
def worker_beside(settings: Settings) -> Iterator[None]:
    """Have a worker of this home at work meanwhile."""
    stopping = threading.Event()
    thread = threading.Thread(target=_keep, args=(settings, stopping), name="worker-beside", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(SHUTDOWN_S + AGAIN_S)


def _keep(settings: Settings, stopping: threading.Event) -> None:
    while not stopping.is_set():
        with _started(settings) as worker:
            while worker.poll() is None and not stopping.wait(0.2):
                pass
            if stopping.is_set():
                _end(worker)
                return
            logger.error("The worker ended with %d; beginning another in %.0f s.", worker.returncode, AGAIN_S)
        stopping.wait(AGAIN_S)


def _started(settings: Settings) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        **settings.environment(),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    # In a session of its own, it does not get the terminal's Ctrl-C; its stdin ends when this process is killed.
    return subprocess.Popen(  # see the import
        [sys.executable, "-P", "-m", "service.jobs.child", "worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def _end(worker: "subprocess.Popen[bytes]") -> None:
    worker.terminate()
    try:
        worker.wait(SHUTDOWN_S)
    except subprocess.TimeoutExpired:
        worker.kill()
