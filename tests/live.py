"""A service that really listens, in a thread of this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from retrieval.home import Home
from service.app import create_app
from service.auth import Access
from service.serving import Serving


@contextmanager
def live(home: Home, *, access: Access | None = None) -> Iterator[str]:
    """Serve a home on a free port; give its address."""
    with Serving(home) as serving:
        config = uvicorn.Config(
            create_app(serving, access=access),
            port=0,
            log_config=None,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            serving.begin_to_stop()
            thread.join()
