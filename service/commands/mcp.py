"""tandem mcp"""

import typer

from retrieval.console import HomeOption, opened


def mcp(context: typer.Context, home: HomeOption = None) -> None:
    """Answer a language model's client over stdin and stdout, by the Model Context Protocol."""
    from service.mcp import Alone, make_server

    with opened(context, home) as opened_home:
        make_server(Alone(opened_home)).run("stdio")
