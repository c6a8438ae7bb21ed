"""A headless Chromium, driven over two pipes by its own protocol (chromedevtools.github.io/devtools-protocol)."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

BINARY = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
)


@dataclass(slots=True)
class Tab:
    """One page of a browser."""

    asking: IO[bytes]
    answering: IO[bytes]
    session: str = ""
    last: int = 0
    said: list[Any] = field(default_factory=list)
    """What the page said meanwhile: errors of its script, refusals of its policy."""

    def ask(self, method: str, **told: Any) -> Any:
        """Send a command and return its result."""
        self.last += 1
        session = {"sessionId": self.session} if self.session else {}
        self.asking.write(json.dumps({"id": self.last, "method": method, "params": told, **session}).encode() + b"\0")
        self.asking.flush()
        while True:
            message = json.loads(self._message())
            if message.get("id") == self.last:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.said.append(message["params"])

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is there."""
        self.ask("Page.navigate", url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return what a script gives."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait(self, script: str, seconds: float = 20) -> None:
        """Wait until a script gives something true."""
        until = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < until, script
            time.sleep(0.05)

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a form."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def drop(self, selector: str, *files: Path) -> None:
        """Drop files on something."""
        x, y = self.run(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + 10]; })()"
        )
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.ask("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def picture(self, file: Path, *, width: int, is_dark: bool) -> None:
        """Keep a picture of the page."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=width < 500
        )
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def _message(self) -> bytes:
        parts = bytearray()
        while (byte := self.answering.read(1)) not in (b"\0", b""):
            parts += byte
        assert parts, "the browser has ended"
        return bytes(parts)


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """A browser with a profile in a folder, at an empty page."""
    asked, asking = os.pipe()
    answering, answered = os.pipe()
    words = ["bash", BINARY, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    shell = f'exec 3<&{asked} 4>&{answered}; exec "$@"'
    process = subprocess.Popen(["bash", "-c", shell, *words], pass_fds=(asked, answered), stderr=subprocess.DEVNULL)
    os.close(asked)
    os.close(answered)
    try:
        with os.fdopen(asking, "wb") as asking_it, os.fdopen(answering, "rb") as answering_it:
            page = Tab(asking_it, answering_it)
            target = page.ask("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                page.ask(f"{domain}.enable")
            yield page
    finally:
        process.kill()
        process.wait()
