"""GET /v1/suggest: completions while somebody types"""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.api.described import problems
from service.api.reading_schemas import SuggestionBody, SuggestionsBody, SuggestLink
from service.auth import Reader
from service.suggesting import Suggesting

router = APIRouter(prefix="/v1", tags=["search"])


@router.get("/suggest", response_model=SuggestionsBody, responses=problems(404, 422, 503), summary="Complete a query")
def suggest(request: Request, caller: Reader, asked: Annotated[SuggestLink, Query()]) -> SuggestionsBody:
    """Complete what is typed so far, from titles, headings, words and identifiers of the collection."""
    caller.check(asked.collection)
    suggesting: Suggesting = request.app.state.suggesting
    found = suggesting.complete(asked.collection, asked.prefix, asked.limit)
    suggestions = [SuggestionBody(text=one.text, kind=one.kind, count=one.count) for one in found]
    return SuggestionsBody(prefix=asked.prefix, suggestions=suggestions)
