"""Forms of the page: read, and refused when another site sends them."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from retrieval.errors import UsageError
from service.errors import Forbidden
from service.limits import OWN_SITES, host_of

MAX_FIELDS = 100


def check_own(request: Request) -> None:
    """Raise Forbidden where another site has sent a form.

    Browsers say where a form comes from: in Sec-Fetch-Site, older ones in Origin.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    host = request.headers.get("host", "").lower()
    is_own = site in OWN_SITES if site else origin is not None and host_of(origin) == host
    if not is_own:
        raise Forbidden("This form was not sent from Tandem's own page.")


async def own_form(request: Request) -> Mapping[str, str]:
    """Return a form's fields; raises Forbidden where another site has sent it."""
    check_own(request)
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace"))
    except ValueError:
        raise UsageError("The form could not be read; send it as application/x-www-form-urlencoded.") from None


Form = Annotated[Mapping[str, str], Depends(own_form)]
OwnSite = Depends(check_own)
"""For forms that are read as something else than fields."""
