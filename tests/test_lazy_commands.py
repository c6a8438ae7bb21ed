"""The list of commands costs nothing, and says what each command says itself."""

import subprocess
import sys

import pytest
import typer
from typer.main import get_group
from typer.testing import CliRunner

from retrieval.lazy_commands import add_lazily
from service.cli import app

COMMANDS = list(get_group(app).commands)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), terminal_width=200)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_the_first_line_of_its_own_help(name: str) -> None:
    listed = get_group(app).commands[name].help
    usage, _, text = run(name, "--help").partition("\n\n")
    assert usage.startswith(f"Usage: tandem {name} ")
    assert text.lstrip().splitlines()[0] == listed


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys; sys.argv = ['tandem', '--help']\n"
        "from service.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'sqlalchemy', 'indexer.commands', 'service.commands'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "[]"


def test_the_parent_context_reaches_a_lazy_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def command(context: typer.Context, number: int = 1) -> None:
        seen.extend([context.obj, number])

    monkeypatch.setattr(sys.modules[__name__], "command_for_test", command, raising=False)
    outer = typer.Typer()

    @outer.callback()
    def root(context: typer.Context) -> None:
        context.obj = "given"

    add_lazily(outer, "count", f"{__name__}:command_for_test", help="Count.")
    assert CliRunner().invoke(outer, ["count", "--number", "3"]).exit_code == 0
    assert seen == ["given", 3]
