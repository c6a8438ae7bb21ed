"""When a service has the index of a collection made anew: asked for, or because enough of it has changed."""

import logging
import threading
import time
from typing import TYPE_CHECKING

from indexer import renewal_requests as requests
from indexer.apply import IndexOwner
from retrieval.home import Home
from service.postponed import Postponed

if TYPE_CHECKING:
    from indexer.renewal import Renewal  # with the embedded engine, which another store does without

logger = logging.getLogger(__name__)

LOOK = 30.0, 600.0
"""Whether enough has changed is looked at once changes have paused for so long, or now and then while they go on."""
RETRY_S = 600.0
"""After a failure that nobody waits for."""
FEW = 200
"""Chunks that may be brought into the new index while whoever has changes to apply waits."""


class Renewing:
    """Has the one embedded index of a collection made anew; other stores need no such thing. Used by one thread."""

    def __init__(self, home: Home, owner: IndexOwner, turn: threading.Lock) -> None:
        """`turn` is held by whoever applies changes."""
        self._home = home
        self._owner = owner
        self._turn = turn
        self._look = Postponed(*LOOK)
        self._look.note()  # what another process has left undone
        self._retry_at = 0.0
        self._renewal: Renewal | None = None
        self._number = 0

    @property
    def is_at_work(self) -> bool:
        """Whether an index is being made anew."""
        return self._renewal is not None

    def note_change(self) -> None:
        """Something was applied."""
        self._look.note()

    def step(self, *, may_begin: bool) -> None:
        """Begin, or go over to what was made, if it is time to."""
        if self._renewal is None:
            if may_begin and self._home.settings.store == "edge" and self._is_wanted():
                self._begin()
        elif self._renewal.is_over:
            self._finish(self._renewal)

    def give_up(self) -> None:
        """End what is being done, because the service ends or has something else to do with the index first.

        What was asked for is begun again when that is possible. To be called with the turn.
        """
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal.give_up()
            self._look.note()

    def _is_wanted(self) -> bool:
        asked = requests.read_requests(self._home.catalog, self._owner.collection)
        if asked.is_open:
            return True
        if not self._look.is_due() or time.monotonic() < self._retry_at:
            return False
        self._look.done()
        return self._owner.is_compaction_due()

    def _begin(self) -> None:
        from indexer.renewal import Renewal

        self._number = requests.begin(self._home.catalog, self._owner.collection)
        try:
            with self._turn:
                self._renewal = Renewal(self._home.settings, self._owner)
        except Exception as error:  # whatever it is, the index is the one before
            self._failed(error)
        else:
            logger.info("The index of %s is made anew by process %d.", self._owner.collection.name, self._renewal.pid)

    def _finish(self, renewal: "Renewal") -> None:
        catalog, collection = self._home.catalog, self._owner.collection
        try:
            points = self._gone_over(renewal)
        except Exception as error:  # as above
            with self._turn:
                if self._renewal is not renewal:
                    return  # given up by another thread
                self.give_up()
            self._failed(error)
        else:
            requests.done(catalog, collection, self._number, points)
            logger.info("The index of %s was made anew: %d points.", collection.name, points)

    def _failed(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + RETRY_S
        requests.failed(self._home.catalog, self._owner.collection, self._number, str(error))
        logger.warning("The index of %s stays as it is: %s", self._owner.collection.name, error)

    def _gone_over(self, renewal: "Renewal") -> int:
        while True:
            with self._turn:
                if len(changed := renewal.take_up()) <= FEW:
                    renewal.bring(changed)
                    points = renewal.adopt()
                    self._renewal = None
                    return points
            renewal.bring(changed)
