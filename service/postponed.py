"""Work that changes call for, put off until they pause, so that it is not done after each of many."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Postponed:
    """Is due once nothing has changed for `calm_s`, or `latest_s` after the first change. Times are monotonic."""

    calm_s: float
    latest_s: float
    _first: float | None = field(default=None, init=False)
    _last: float = field(default=0.0, init=False)

    def note(self) -> None:
        """Something has changed."""
        self._last = time.monotonic()
        if self._first is None:
            self._first = self._last

    def is_due(self) -> bool:
        """Whether it is time to do it."""
        if self._first is None:
            return False
        now = time.monotonic()
        return now - self._last >= self.calm_s or now - self._first >= self.latest_s

    def done(self) -> None:
        """It is being done: only what changes from now on calls for it again."""
        self._first = None
