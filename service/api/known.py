"""Parameters in an address that an operation does not know are refused, as unknown fields of a body are."""

from collections.abc import Callable
from functools import cache
from typing import Any, get_args, get_type_hints

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query

from service.auth import Somebody


async def _known_only(request: Request, _: Somebody) -> None:  # whoever has no key is told that first
    known = parameters_of(request.scope["endpoint"])
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        told = f"no such parameter is known here; known are: {', '.join(known) or 'none in the address'}"
        raise RequestValidationError([{"type": "value_error", "loc": ("query", one), "msg": told} for one in unknown])


KnownOnly = Depends(_known_only)
"""Raises RequestValidationError for a parameter that an operation does not declare, by a model of its link."""


@cache
def parameters_of(endpoint: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters that a link to an endpoint may have."""
    hints = get_type_hints(endpoint, include_extras=True).values()
    links = [get_args(hint)[0] for hint in hints if any(isinstance(one, Query) for one in get_args(hint)[1:])]
    return tuple(name for link in links for name in link.model_fields)
