"""Blocking work that the end of the process does not wait for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own and return what it returns; when cancelled, leave it running.

    The threads of AnyIO and asyncio are joined when the process ends, which may take as long as their work does.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], value: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if future.done() else how(value))

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # whoever waits raises it
            settle(future.set_exception, error)
        else:
            settle(future.set_result, result)

    around = copy_context()  # the log says which request it was
    threading.Thread(target=around.run, args=(run,), name="blocking-work", daemon=True).start()
    return await future
