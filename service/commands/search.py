"""tandem search"""

from typing import Annotated

import typer

from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, opened, print_json
from retrieval.filters import Filter
from retrieval.query import Query
from retrieval.types import Mode
from service.answering import answered


def search(
    context: typer.Context,
    text: Annotated[list[str], typer.Argument(metavar="TEXT", help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Hits at the most.")] = 10,
    mode: Annotated[Mode, typer.Option(help="Which legs search.")] = Mode.HYBRID,
    model: Annotated[str | None, typer.Option(metavar="VERSION", help="The model, if not the active one.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="Keep only documents with this metadata; also !=, >=, <.")
    ] = None,
    group: Annotated[bool, typer.Option(help="Rank documents; --no-group ranks plain chunks.")] = True,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show each leg's ranks and scores, and the timings.")
    ] = False,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Search a collection: keywords and meaning together, exact identifiers first."""
    query = Query(" ".join(text), k, mode, _parsed(where), group, model or "", explain=explain).checked()
    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        result = answered(opened_home, target, query)
    if as_json:
        print_json(result.to_json())
    else:
        from service.commands.hits import print_hits

        print_hits(result, explain=explain)


def _parsed(where: list[str] | None) -> Filter | None:
    if not where:
        return None
    from retrieval.filter_parsing import parse_where

    return parse_where(where)
