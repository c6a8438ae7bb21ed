"""Votes of people who saw two arms side by side: what they say of the arms, and what judgments they make.

Votes on one query are not independent, so that a query counts once, for the arm that most of its voters prefer. Of a
voter's votes on a query the first counts: whoever votes again has seen the names. Whether one arm is preferred is asked
with the exact sign test over queries (Dixon and Mood, JASA 1946). A tally is looked at after every vote, and whoever
looks often enough sees p below .05 by chance; so an arm is called preferred only where the bound holds that is valid
however often one looks: one over the likelihood ratio of a share that is uniform on [0, 1] against one half (Robbins,
Annals of Mathematical Statistics 1970, by Ville's inequality).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from retrieval.catalog.judgments import JudgedQuery
from retrieval.catalog.votes import Preferred, Vote

JUDGMENTS = "votes"
"""The judgment set that votes make. It is never taken unless it is named."""
SOURCE = "vote"
ALPHA = 0.05
WITHIN_REASON = 10_000
"""Nobody votes on more queries than this."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What votes say of arm `a` and arm `b`. `wins_a`, `wins_b` and `ties` are queries, `votes` the votes that count.

    `left_chosen` of `sided` votes for one side were for the left one: far from half of many, people vote for a side.
    """

    a: str
    b: str
    votes: int
    wins_a: int
    wins_b: int
    ties: int
    left_chosen: int
    sided: int

    @property
    def decided(self) -> int:
        """How many queries prefer an arm."""
        return self.wins_a + self.wins_b

    @property
    def ahead(self) -> str:
        """The arm that more queries prefer, "" where as many prefer the one as the other."""
        return "" if self.wins_a == self.wins_b else self.a if self.wins_a > self.wins_b else self.b

    @property
    def p(self) -> float:
        """Two-sided p of the exact sign test, ties left out."""
        return sign_test(self.wins_a, self.wins_b)

    @property
    def bound(self) -> float:
        """How probable so much agreement ever was by chance, however often somebody looked."""
        return anytime_bound(self.wins_a, self.wins_b)

    @property
    def is_settled(self) -> bool:
        """Whether one arm is preferred by more than chance."""
        return self.bound < ALPHA

    @property
    def more(self) -> int | None:
        """How many further decided queries would settle it if the share stayed; 0 when settled, None beyond reason."""
        return more_needed(self.wins_a, self.wins_b)


def tally(votes: Iterable[Vote], a: str, b: str) -> Tally:
    """Count the votes between two arms, whichever of them each vote called a."""
    between = sorted((vote for vote in votes if {vote.a, vote.b} == {a, b}), key=lambda vote: vote.id)
    among = list({(vote.query, vote.made_by): vote for vote in reversed(between)}.values())
    balance: Counter[str] = Counter()
    for vote in among:
        balance[vote.query] += _for(vote, a) - _for(vote, b)
    sided = [vote for vote in among if vote.preferred in (Preferred.A, Preferred.B)]
    return Tally(
        a,
        b,
        votes=len(among),
        wins_a=sum(more > 0 for more in balance.values()),
        wins_b=sum(more < 0 for more in balance.values()),
        ties=sum(more == 0 for more in balance.values()),
        left_chosen=sum(vote.preferred.value == vote.on_left for vote in sided),
        sided=len(sided),
    )


def _for(vote: Vote, arm: str) -> bool:
    return (vote.preferred is Preferred.A and vote.a == arm) or (vote.preferred is Preferred.B and vote.b == arm)


def reading(found: Tally) -> str:
    """Say what a tally allows to be said."""
    if not found.decided:
        return "No query prefers one arm yet: cannot tell."
    most = max(found.wins_a, found.wins_b)
    if not found.ahead:
        return f"{most} of {found.decided} queries for each: cannot tell yet."
    said = f"{most} of {found.decided} queries for {found.ahead}"
    if found.is_settled:
        return f"{said}: it is preferred (sign test p {_shown(found.p)})."
    return f"{said}: cannot tell yet (sign test p {_shown(found.p)}{_if_once(found)}).{_outlook(found)}"


def _if_once(found: Tally) -> str:
    if found.p >= ALPHA:
        return ""
    return f", which would do had nobody looked before; looked at after every vote, it is {_shown(found.bound)}"


def _outlook(found: Tally) -> str:
    if found.more is None:
        return " If the share stays, no number of votes within reason settles it."
    return f" If the share stays, about {found.more} more queries settle it."


def _shown(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided p of so many wins and losses where each is as likely; 1 for none."""
    total = wins + losses
    ways, tail = 1, 0
    for count in range(min(wins, losses) + 1):
        tail += ways
        ways = ways * (total - count) // (count + 1)
    p: float = 2 * tail / 2**total
    return min(1.0, p)


def anytime_bound(wins: int, losses: int) -> float:
    """Return (n + 1) C(n, wins) / 2^n, at most 1: by chance it ever falls below alpha with at most this probability."""
    total = wins + losses
    ways = math.lgamma(total + 2) - math.lgamma(wins + 1) - math.lgamma(losses + 1)
    return round(min(1.0, math.exp(min(0.0, ways - total * math.log(2)))), 12)


def more_needed(wins: int, losses: int) -> int | None:
    """Return how many more there must be, at the same share, until chance is ruled out."""
    total, most = wins + losses, max(wins, losses)
    if 2 * most == total:
        return None
    for size in range(total, WITHIN_REASON + 1):
        won = round(size * most / total)
        if anytime_bound(won, size - won) < ALPHA:
            return size - total
    return None


def query_id(text: str) -> str:
    """Return what a query that was voted on is called in the judgment set."""
    return f"vote-{blake2b(text.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"


def grades_of(vote: Vote) -> dict[str, int]:
    """Return the grades that one vote gives. docs/evaluating.md says why they are these and no others.

    Only first documents are judged. Of the preferred arm it gets 1, of the other 0, unless the preferred arm shows that
    document as well; where both have the same first document, a preference was for something further down, and says
    nothing of it. Of arms that are equally good both get 1, of bad ones 0.
    """
    firsts = {"a": vote.a_shown[:1], "b": vote.b_shown[:1]}
    if vote.preferred in (Preferred.EQUAL, Preferred.BAD):
        grade = int(vote.preferred is Preferred.EQUAL)
        return {document: grade for first in firsts.values() for document in first}
    winner, loser = ("a", "b") if vote.preferred is Preferred.A else ("b", "a")
    if firsts[winner] == firsts[loser]:
        return {}
    shown = vote.a_shown if winner == "a" else vote.b_shown
    lost = {document: 0 for document in firsts[loser] if document not in shown}
    return {**lost, **dict.fromkeys(firsts[winner], 1)}


def judged_by(votes: Sequence[Vote], known: JudgedQuery | None) -> JudgedQuery | None:
    """Return what the last of a query's votes, the oldest first, adds to its judgments; None for nothing.

    `known` is the query as it is judged now. A grade that is not what the votes before gave was given by hand, and
    stays; of two votes the later one counts.
    """
    *before, last = votes
    given = {document: grade for vote in before for document, grade in grades_of(vote).items()}
    held = {} if known is None else dict(known.grades)
    by_hand = {document for document, grade in held.items() if grade is not None and grade != given.get(document)}
    grades = {document: grade for document, grade in grades_of(last).items() if document not in by_hand}
    return JudgedQuery(query_id(last.query), last.query, SOURCE, grades=grades) if grades else None
