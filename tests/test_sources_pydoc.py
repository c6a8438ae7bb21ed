"""The pydoc source: public names, one document each, from bytes that two runs agree on."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.sources.base import Item, Problem, SourceOptions
from indexer.sources.docstrings import blocks_of
from indexer.sources.pydoc import PydocSource, packages_in
from indexer.sources.references import links_in
from indexer.sources.signatures import signature_of
from retrieval.errors import ParseError, SourceError, UsageError
from retrieval.types import Block, BlockKind, Document

PACKAGE = {
    "__init__.py": '''
"""Pots and pans."""
from json import dumps
from pantry._inside import Pot, boil
print("imported")
__all__ = ["Pot", "boil", "missing", "Colour"]
from enum import Enum
class Colour(Enum):
    """What a pot looks like."""
    RED = 1
''',
    "_inside.py": '''
def boil(water, *, degrees=100, marks={"b", "a", "c"}, how=object()):
    """Heat water, as :class:`Pot` does with `Pot.fill`."""
class Base:
    """Anything with a lid."""
    def close(self): """Put the lid on."""
    def weigh(self, scale): pass
class Pot(Base):
    """A pot."""
    def __init__(self, size): """Take the size in litres."""
    def fill(self): """Pour until full."""
    def close(self): pass
    def weigh(self, scale): pass
    def stir(self, spoon): pass
    def rest(self): pass
    @property
    def depth(self): """Depth in cm."""
    @staticmethod
    def of(size): """Return a new pot."""
    class Lid:
        """A lid."""
    def _secret(self): """Not for readers."""
''',
    "stove.py": '''
"""Fire."""
from pantry._inside import boil
import os
def light(gas): """Turn on."""
''',
    "broken.py": "import no_such_module_anywhere",
    "leaves.py": "raise SystemExit(3)",
    "__main__.py": "raise RuntimeError('must not run')",
    "tests/__init__.py": '"""Tests are no documentation."""',
}


@pytest.fixture
def pantry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PydocSource]:
    for name, text in PACKAGE.items():
        path = tmp_path / "pantry" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield PydocSource("pantry", SourceOptions())
    for name in [name for name in sys.modules if name.partition(".")[0] == "pantry"]:
        del sys.modules[name]


def documents(source: PydocSource) -> dict[str, Document]:
    items = [item for item in source.items() if isinstance(item, Item)]
    return {document.id: document for item in items for document in source.parse(item, source.read(item))}


def test_each_object_has_one_document_under_its_shortest_public_name(pantry: PydocSource) -> None:
    found = documents(pantry)
    assert set(found) == {
        "pantry",
        "pantry.Colour",
        "pantry.Pot",
        "pantry.Pot.Lid",
        "pantry.Pot.depth",
        "pantry.Pot.fill",
        "pantry.Pot.of",
        "pantry.Pot.stir",
        "pantry.boil",
        "pantry.stove",
        "pantry.stove.light",
    }
    assert found["pantry.boil"].metadata["aliases"] == ["pantry.stove.boil"]
    assert found["pantry.Pot.fill"].title == "pantry.Pot.fill"


def test_metadata_says_what_a_document_is_of(pantry: PydocSource) -> None:
    found = documents(pantry)
    assert [found[f"pantry{name}"].metadata["kind"] for name in ("", ".Pot", ".boil", ".Pot.fill", ".Pot.depth")] == [
        "module",
        "class",
        "function",
        "method",
        "property",
    ]
    assert found["pantry.stove.light"].metadata["module"] == "pantry.stove"


def test_the_text_is_the_signature_then_the_docstring(pantry: PydocSource) -> None:
    found = documents(pantry)
    assert found["pantry.Pot"].blocks == (
        Block(BlockKind.CODE, "pantry.Pot(size)", language="python"),
        Block(BlockKind.PARAGRAPH, "A pot."),
        Block(BlockKind.PARAGRAPH, "Take the size in litres."),
    )
    assert found["pantry.Pot.fill"].blocks[0].text == "pantry.Pot.fill()"
    assert found["pantry.Pot.of"].blocks[0].text == "pantry.Pot.of(size)"
    assert found["pantry.Pot.stir"].blocks == (
        Block(BlockKind.CODE, "pantry.Pot.stir(spoon)", language="python"),
        Block(BlockKind.PARAGRAPH, "Method of pantry.Pot. A pot."),
    )
    assert [block.text for block in found["pantry.Colour"].blocks] == ["What a pot looks like.", "RED = 1"]


def test_defaults_are_shown_without_addresses_and_sets_in_order(pantry: PydocSource) -> None:
    boil = documents(pantry)["pantry.boil"].blocks[0].text
    assert boil == "pantry.boil(water, *, degrees=100, marks={'a', 'b', 'c'}, how=<object object>)"


def test_mentions_of_other_documents_are_links(pantry: PydocSource) -> None:
    links = documents(pantry)["pantry.boil"].links
    assert [(link.target, link.anchor) for link in links] == [("pantry.Pot", "Pot"), ("pantry.Pot.fill", "Pot.fill")]
    assert links[0].sentence == "Heat water, as Pot does with Pot.fill."


def test_a_module_that_does_not_import_is_a_problem_and_prints_nothing(
    pantry: PydocSource, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [found for found in pantry.items() if isinstance(found, Problem)]
    assert [(problem.key, problem.skipped) for problem in problems] == [
        ("pantry.broken", True),
        ("pantry.leaves", True),
    ]
    assert "no_such_module_anywhere" in problems[0].reason
    assert capsys.readouterr().out == ""


def test_options_reach_every_document(pantry: PydocSource) -> None:
    options = SourceOptions(base_url="https://docs.example/api/", id_prefix="py/", metadata={"team": "kitchen"})
    found = documents(PydocSource("pantry", options))
    boil = found["py/pantry.boil"]
    assert boil.url == "https://docs.example/api/pantry.boil"
    assert boil.metadata["team"] == "kitchen"


def test_an_absent_package_is_a_source_error_that_names_it() -> None:
    with pytest.raises(SourceError, match="no_such_package_anywhere"):
        list(PydocSource("no_such_package_anywhere", SourceOptions()).items())


def test_a_list_of_packages_is_split_and_checked() -> None:
    assert packages_in("json, os.path,json") == ["json", "os.path"]
    for wrong in ("", " , ", "json,../etc", "os-path"):
        with pytest.raises(UsageError, match="pydoc:"):
            packages_in(wrong)


def test_the_standard_library_is_found_under_the_names_people_use() -> None:
    expected = {
        "asyncio": ["asyncio.to_thread", "asyncio.AbstractEventLoop.run_in_executor", "asyncio.Queue.get"],
        "os": ["os.posix_fadvise"] if hasattr(__import__("os"), "posix_fadvise") else ["os.getpid"],
        "os.path": ["os.path.join", "os.path.exists"],
        "pathlib": ["pathlib.Path.read_text"],
        "random": ["random.randint", "random.random"],
        "collections": ["collections.OrderedDict", "collections.abc.Mapping"],
        "bisect": ["bisect.bisect_left"],
        "typing": ["typing.Optional"],
    }
    for package, names in expected.items():
        found = documents(PydocSource(package, SourceOptions()))
        assert set(names) <= set(found)
        assert all(document.text for document in found.values())
        assert f"pydoc:{package}" == PydocSource(package, SourceOptions()).root


def test_a_c_function_shows_its_signature_even_where_a_default_is_no_python() -> None:
    class Builtin:
        def __init__(self, text: str) -> None:
            self.__text_signature__ = text

    for written in ("($module, /, a, b=<unknown>)", "($self, a, b=<unknown>)", "($module,\n        a, b=<unknown>)"):
        assert signature_of(Builtin(written)) == "(a, b=<unknown>)"
    assert signature_of(Builtin("($self, /)")) == "()"
    assert signature_of(3) == ""


def test_what_belongs_to_another_package_is_left_to_it() -> None:
    assert "socket.timeout" not in documents(PydocSource("socket", SourceOptions()))
    assert "os.error" not in documents(PydocSource("os", SourceOptions()))
    assert "secrets.SystemRandom" not in documents(PydocSource("secrets", SourceOptions()))


def test_two_processes_with_other_hash_seeds_read_the_same_bytes() -> None:
    program = (
        "import hashlib\n"
        "from indexer.sources.base import SourceOptions\n"
        "from indexer.sources.pydoc import PydocSource\n"
        "s = PydocSource('json', SourceOptions())\n"
        "print(hashlib.sha256(b''.join(s.read(item) for item in s.items())).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_bytes_that_pydoc_did_not_write_are_a_parse_error(pantry: PydocSource) -> None:
    for data in (b"", b"[]", b"{}", b'{"entries": [1]}', b'{"entries": [{}]}', b"\xff", b"[" * 100_000):
        with pytest.raises(ParseError, match=r"pantry\.stove"):
            pantry.parse(Item("pantry.stove", "pantry.stove", "pydoc"), data)


def test_docstring_sections_examples_and_fields_keep_their_shape() -> None:
    docstring = """Clip the values.

    Use it so::

        clip(x)

    Parameters
    ----------
    a : array
        What to clip.

    >>> clip(1)
    1

    * one
    * two
      lines

    :param low: the ``low`` end
    :returns: :class:`~numpy.ndarray`

    ====  =====
    name  value
    ====  =====
    x     1
    ====  =====

    .. code-block:: bash

       run me

    .. note:: Mind
       the gap.
    """
    assert [(block.kind, block.text) for block in blocks_of(docstring)] == [
        (BlockKind.PARAGRAPH, "Clip the values."),
        (BlockKind.PARAGRAPH, "Use it so:"),
        (BlockKind.CODE, "clip(x)"),
        (BlockKind.HEADING, "Parameters"),
        (BlockKind.ITEM, "a : array What to clip."),
        (BlockKind.CODE, ">>> clip(1)\n1"),
        (BlockKind.ITEM, "one"),
        (BlockKind.ITEM, "two lines"),
        (BlockKind.ITEM, ":param low: the low end"),
        (BlockKind.ITEM, ":returns: numpy.ndarray"),
        (BlockKind.ROW, "name value"),
        (BlockKind.ROW, "x 1"),
        (BlockKind.CODE, "run me"),
        (BlockKind.PARAGRAPH, "Note Mind the gap."),
    ]


def test_google_sections_and_fences_are_read() -> None:
    docstring = "Do it.\n\nArgs:\n    x: the first\n    y (int): the second\n        and more\n\n```py\nx = 1\n```\n"
    assert [(block.kind, block.text, block.language) for block in blocks_of(docstring)] == [
        (BlockKind.PARAGRAPH, "Do it.", ""),
        (BlockKind.PARAGRAPH, "Args:", ""),
        (BlockKind.ITEM, "x: the first", ""),
        (BlockKind.ITEM, "y (int): the second and more", ""),
        (BlockKind.CODE, "x = 1", "py"),
    ]


def test_an_example_makes_no_links_and_short_names_are_found_from_the_inside_out() -> None:
    known = {"a.run", "a.B.run", "run"}
    assert [link.target for link in links_in("See `run`.", "a.B.go", known)] == ["a.B.run"]
    assert [link.target for link in links_in("See run() too.", "a.go", known)] == ["a.run"]
    assert links_in(">>> a.run()", "a.go", known) == ()


def test_markup_with_nothing_in_it_says_nothing() -> None:
    for docstring in ("```\n", ".. x::\n\n", "=== ===\n", "a::\n", "\x00"):
        assert all(block.text.strip() for block in blocks_of(docstring))
    assert blocks_of("``` \n```\n=== ===\n=== ===") == []


@given(st.text(alphabet=st.sampled_from("ab .:>`*-=~\n\t|#@(){}0_\x00é")))
def test_any_docstring_becomes_blocks_that_say_something(docstring: str) -> None:
    blocks = blocks_of(docstring)
    assert all(block.text.strip() for block in blocks)
    assert links_in(docstring, "a", {"a", "b"}) is not None
