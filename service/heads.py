"""HEAD: what GET answers, without its body."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Answers HEAD wherever GET is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for what GET is answered, and send its head; a stream, whose length nobody knows, is not waited for."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        with anyio.CancelScope() as work:

            async def head(message: Message) -> None:
                if message["type"] != "http.response.start":
                    return
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                if b"content-length" not in {name.lower() for name, _ in message["headers"]}:
                    work.cancel()

            try:
                await self._app(asked, receive, head)
            finally:
                scope.update({**asked, "method": "HEAD"})  # whoever watches over requests learns which route it was
