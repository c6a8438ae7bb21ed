"""Templates, and the headers that every page is sent with. Whatever is not marked as safe is escaped."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from service.auth import COOKIE

STATIC = Path(__file__).parent / "static"
ASSETS = {"style.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@cache
def environment() -> Environment:
    """Return the templates."""
    found = Environment(
        loader=PackageLoader("service.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["safe_url"] = safe_url
    found.filters["highlighted"] = highlighted
    found.filters["moment"] = moment
    found.globals["asset"] = asset
    return found


def page(request: Request, name: str, *, status: int = 200, **content: Any) -> Response:
    """Return a rendered template."""
    common = {"path": request.url.path, "has_key": COOKIE in request.cookies}
    text = environment().get_template(name).render(**common, **content)
    return HTMLResponse(text, status, headers=HEADERS)


def wants_page(request: Request) -> bool:
    """Return whether a person looks at the answer, and not a program."""
    is_interface = request.url.path == "/v1" or request.url.path.startswith("/v1/")
    return "text/html" in request.headers.get("accept", "") and not is_interface


def login_link(request: Request) -> str:
    """Return where to sign in, to come back to this page."""
    to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/login?{urlencode({'to': to if request.method == 'GET' else '/'})}"


def moment(written: str) -> str:
    """Return an ISO 8601 time in UTC as people read it, to the minute."""
    return f"{written[:10]} {written[11:16]} UTC" if len(written) > 15 else written


@cache
def asset(name: str) -> str:
    """Return where a file is, under a name that changes with it, so that browsers may keep it for good."""
    digest = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{digest}/{name}"


def safe_url(url: str | None) -> str:
    """Return a document's URL if a reader may follow it, else nothing: it comes from whoever wrote the document."""
    return url if url and url.lower().startswith(("http://", "https://")) else ""


def highlighted(highlights: str) -> Markup:
    """Take highlights for what they are: escaped text with <mark>, as retrieval/snippets.py makes them."""
    return Markup(highlights)  # noqa: S704  # that is the contract of `highlights`
