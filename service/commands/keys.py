"""tandem keys"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from retrieval.catalog.keys import Key, Scope
from retrieval.console import HomeOption, JsonOption, note, opened, print_json, print_line, table
from retrieval.types import JsonValue

keys = typer.Typer(help="Keys of the API: who may ask a service for what, until when.", no_args_is_help=True)


@keys.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who or what it is for; logs and jobs name it so.")],
    scope: Annotated[Scope, typer.Option(help="read: search; write: documents too; admin: everything.")] = Scope.READ,
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="The one collection that it is for. [every one]")
    ] = "",
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="It expires after so many. [never]")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it, once: only a digest of it is kept."""
    with opened(context, home) as opened_home:
        if collection:
            opened_home.catalog.collections.get(collection)
        until = datetime.now(UTC) + timedelta(days=days) if days else None
        key, sent = opened_home.catalog.keys.create(name, [scope], collection=collection, expires_at=until)
    if as_json:
        print_json({**_body(key), "key": sent})
        return
    note(f"The key {key.id} for {key.name}. Keep it: it is shown only now.")
    print_line(sent)


@keys.command("list")
def list_keys(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the keys, without what their holders send."""
    with opened(context, home) as opened_home:
        found = opened_home.catalog.keys.list()
    if as_json:
        print_json({"keys": [_body(key) for key in found]})
        return
    rows = [
        [key.id, key.name, ", ".join(key.scopes), key.collection or "every one", key.made_at, _state(key)]
        for key in found
    ]
    table(rows, ["KEY", "NAME", "SCOPES", "COLLECTION", "MADE", "STATE"])


@keys.command("revoke")
def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="Its id, as `tandem keys list` shows it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a key be of no use from now on."""
    with opened(context, home) as opened_home:
        found = opened_home.catalog.keys.revoke(key)
    if as_json:
        print_json(_body(found))
    else:
        print_line(f"The key {found.id} for {found.name} is of no use any more.")


def _body(key: Key) -> dict[str, JsonValue]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": [scope.value for scope in key.scopes],
        "collection": key.collection or None,
        "made_at": key.made_at,
        "expires_at": key.expires_at or None,
        "revoked_at": key.revoked_at or None,
    }


def _state(key: Key) -> str:
    if key.revoked_at:
        return f"revoked {key.revoked_at}"
    if key.is_over:
        return f"expired {key.expires_at}"
    return f"until {key.expires_at}" if key.expires_at else "good"
