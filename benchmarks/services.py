"""A service in a process of its own, as whoever measures it needs it."""

import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TANDEM = [sys.executable, "-m", "service.cli"]
READY_WITHIN_S, END_WITHIN_S = 60.0, 30.0


@dataclass(frozen=True, slots=True)
class Service:
    """A running service; `ready_s` is how long after its start everything could be searched."""

    port: int
    process: "subprocess.Popen[bytes]"
    ready_s: float

    def resident_mb(self) -> float:
        """Return the process's resident memory in megabytes; Linux only."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found.group(1)) * 1024 / 1e6 if found else 0.0


@contextmanager
def served(home: Path) -> Iterator[Service]:
    """Serve a home, and go on once everything in it can be searched."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    began = time.perf_counter()
    process = subprocess.Popen([*TANDEM, "serve", "--home", str(home), "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(port)
        yield Service(port, process, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(END_WITHIN_S)


def _wait_until_ready(port: int) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            time.sleep(0.01)
        finally:
            connection.close()
    raise TimeoutError(f"The service was not ready within {READY_WITHIN_S:.0f} s.")
