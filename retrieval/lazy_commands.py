"""Sub-commands that are listed without being imported: `tandem --help` needs their names, not what they need."""

import gc
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_group


def add_lazily(app: typer.Typer, name: str, target: str, *, help: str) -> None:  # noqa: A002  # what typer calls it
    """Add the function or Typer at `target` (module:attribute) as a sub-command, imported when it is first called.

    `help` is its line in the list of commands: the first line of its own help.
    """
    app.command(name, help=help, cls=_lazy(name, target))(_not_called)


def _lazy(name: str, target: str) -> type[TyperCommand]:
    class Lazy(TyperCommand):
        def make_context(self, *args: Any, **extra: Any) -> Any:
            return _command(name, target).make_context(*args, **extra)  # the context is the real command's from here

    return Lazy


def _command(name: str, target: str) -> TyperCommand:
    module, _, attribute = target.partition(":")
    found: typer.Typer | Callable[..., None] = getattr(imported(module), attribute)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name)(found)
    command: TyperCommand = get_group(app).commands[name]  # type: ignore[assignment]  # a group is called alike
    return command


def imported(name: str) -> ModuleType:
    """Import a module without looking for garbage meanwhile, nor ever again among what it holds.

    Importing makes hundreds of thousands of objects and no garbage; looking for it takes a tenth of a start.
    """
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _not_called() -> None:
    raise AssertionError("A lazy command is never called itself.")
