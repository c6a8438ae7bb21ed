"""/v1/votes: what people said who saw two arms side by side, and what that says of the arms"""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from retrieval.catalog import Catalog
from retrieval.catalog.votes import Vote
from retrieval.errors import UsageError
from service.api.described import problems
from service.api.evaluation_schemas import TalliesBody, TallyBody, TallyLink, VoteBody, VotesBody, VotesLink
from service.auth import Reader
from trainer.voting import Tally, reading, tally

router = APIRouter(prefix="/v1/votes", tags=["votes"])
PROBLEMS = problems(400, 404, 422)


@router.get("", response_model=VotesBody, responses=PROBLEMS, summary="List votes")
def list_votes(request: Request, caller: Reader, asked: Annotated[VotesLink, Query()]) -> VotesBody:
    """List a collection's votes, the newest first. They are cast on the page `/compare`, where sides have no names."""
    caller.check(asked.collection)
    if bool(asked.a) != bool(asked.b):
        raise UsageError("Give both arms, a and b, or neither.")
    catalog = _catalog(request)
    arms = (asked.a, asked.b) if asked.a else ()
    collection = catalog.collections.get(asked.collection)
    found = catalog.votes.list(collection, arms=arms, before=asked.before, limit=asked.limit)
    return VotesBody(votes=[_vote(vote) for vote in found], next=found[-1].id if len(found) == asked.limit else None)


@router.get("/tally", response_model=TalliesBody, responses=PROBLEMS, summary="Count votes")
def count(request: Request, caller: Reader, asked: Annotated[TallyLink, Query()]) -> TalliesBody:
    """Say of every pair of arms that was voted on which is preferred, with the sign test, or that nobody can tell."""
    caller.check(asked.collection)
    catalog = _catalog(request)
    votes = catalog.votes.list(catalog.collections.get(asked.collection))
    pairs = sorted({(min(vote.a, vote.b), max(vote.a, vote.b)) for vote in votes})
    return TalliesBody(tallies=[_tally(tally(votes, a, b)) for a, b in pairs])


def _vote(vote: Vote) -> VoteBody:
    return VoteBody(
        id=vote.id,
        query=vote.query,
        a=vote.a,
        b=vote.b,
        preferred=vote.preferred,
        on_left=vote.on_left,
        a_shown=list(vote.a_shown),
        b_shown=list(vote.b_shown),
        made_by=vote.made_by,
        made_at=vote.made_at,
    )


def _tally(found: Tally) -> TallyBody:
    return TallyBody(
        a=found.a,
        b=found.b,
        votes=found.votes,
        wins_a=found.wins_a,
        wins_b=found.wins_b,
        ties=found.ties,
        p=found.p,
        anytime_p=found.bound,
        is_settled=found.is_settled,
        preferred=found.ahead if found.is_settled else None,
        more=found.more,
        left_chosen=found.left_chosen,
        sided=found.sided,
        reading=reading(found),
    )


def _catalog(request: Request) -> Catalog:
    catalog: Catalog = request.app.state.serving.home.catalog
    return catalog
