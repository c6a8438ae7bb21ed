"""The process that does a job's command. It stops, as if by Ctrl-C, when the worker that started it is gone."""

import os
import signal
import sys
import threading


def main() -> None:
    """Run a command; its stdin ends with the worker."""
    threading.Thread(target=_watch, daemon=True).start()
    from service.cli import main as tandem

    tandem()


def _watch() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
