"""How fast an index is written: at once where nobody searches it, in small steps where somebody does."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from retrieval.catalog.rows import in_batches

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """Changes read from the catalog at a time, points written in one step, and a pause for others after each step."""

    changes: int = 1000
    points: int = 1000
    pause_s: float = 0.0

    def steps(self, items: Iterable[T]) -> Iterator[list[T]]:
        """Yield what is to be written in one step, pausing after each."""
        for step in in_batches(items, self.points):
            yield step
            if self.pause_s:
                time.sleep(self.pause_s)


AT_ONCE = Pace()
BESIDE_SEARCHES = Pace(changes=200, points=25, pause_s=0.002)
"""25 points take the index for 2 ms. Without the pause, who writes would have it again before a search that waits."""

NICE = 10


def give_way() -> None:
    """Let other processes have the processor first from now on: searches are waited for, and this is not."""
    if sys.platform == "linux":  # where every thread has a priority of its own, which those it starts inherit
        for thread in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # it has ended, or gives way already
                os.setpriority(os.PRIO_PROCESS, int(thread.name), NICE)
    elif hasattr(os, "nice"):
        os.nice(NICE)
