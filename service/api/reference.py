"""GET /docs: the interface, described for people."""

from fastapi import APIRouter, Request, Response

from service.reference import STYLE, page

router = APIRouter(include_in_schema=False)
POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"}


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Return the page."""
    text = page(request.app.openapi(), str(request.base_url).rstrip("/"))
    return Response(text, media_type="text/html", headers=POLICY)


@router.get("/docs.css")
async def style() -> Response:
    """Return its stylesheet."""
    return Response(STYLE, media_type="text/css")
