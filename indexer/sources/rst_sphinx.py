"""Sphinx's roles and directives, and any others that docutils lacks: taught to it as ones that keep their text."""

import re
from typing import Any, ClassVar

from docutils import nodes, utils
from docutils.parsers.rst import Directive, directives, roles

_ROLE = re.compile(r":([A-Za-z][\w:+.-]{0,60}):`|`:([A-Za-z][\w:+.-]{0,60}):")
_DIRECTIVE = re.compile(
    r"(?m)^[ \t]*(?:[-*+][ \t]+)?\.\.[ \t]+(?:\|[^|\n]{1,100}\|[ \t]+)?([A-Za-z][\w:+.-]{0,60})[ \t]?::"
)
_TITLED = re.compile(r"(.+?)\s*<([^<>]+)>$", re.DOTALL)
_CODE = frozenset({"code", "code-block", "sourcecode", "highlight-block", "ipython", "testcode", "doctest", "prompt"})
_UNREAD = frozenset(
    "toctree index currentmodule module py:module py:currentmodule include literalinclude raw highlight "  # noqa: SIM905 - names
    "tabularcolumns sectionauthor codeauthor contents meta sectnum header footer date autosummary default-domain "
    "testsetup testcleanup graphviz plot inheritance-diagram productionlist todolist raw-html stylesheet".split()
)
_VERSIONS = {
    "versionadded": "Added in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
    "deprecated-removed": "Deprecated since version",
    "versionremoved": "Removed in version",
}
_MOST_NAMES = 2_000
_taught: set[str] = set()


def teach_names(source: str) -> None:
    """Make docutils know every role and directive that a text uses, at most 2,000 in the life of the process."""
    for found in _ROLE.finditer(source):
        _teach_role((found[1] or found[2]).lower())
    for found in _DIRECTIVE.finditer(source):
        _teach_directive(found[1].lower())


def _teach_role(name: str) -> None:
    if f":{name}:" in _taught or len(_taught) >= _MOST_NAMES or name in _BUILT_IN_ROLES:
        return
    _taught.add(f":{name}:")
    roles.register_local_role(name, _role)  # type: ignore[arg-type] # the stubs know only roles that make references


def _teach_directive(name: str) -> None:
    known = name in _BUILT_IN_DIRECTIVES and name not in _CODE | _UNREAD
    if name in _taught or len(_taught) >= _MOST_NAMES or known:
        return
    _taught.add(name)
    directives.register_directive(name, _Transparent)


def _role(
    name: str, rawtext: str, text: str, *_place: Any, **_options: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Keep a role's text: the title of `title <target>`; :doc: is a link."""
    words = utils.unescape(text)
    titled = _TITLED.match(words)
    shown, target = (titled[1], titled[2]) if titled else (words.lstrip("~!"), words)
    if name.lower().split(":")[-1] in ("doc", "download"):
        return [nodes.reference(rawtext, shown, refuri=target)], []
    return [nodes.inline(rawtext, shown)], []


class _AnyOptions(dict[str, Any]):
    """An option specification that knows every option."""

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        return directives.unchanged


class _Transparent(Directive):
    """A directive that shows its argument and its content, and forgets its options."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[Any] = _AnyOptions()

    def run(self) -> list[nodes.Node]:
        """Return the nodes of argument and content."""
        name = self.name.lower()
        argument = self.arguments[0] if self.arguments else ""
        if name in _UNREAD:
            return []
        if name in _CODE:
            text = "\n".join(self.content)
            return [nodes.literal_block(text, text, language=argument.partition("\n")[0])] if text.strip() else []
        content = nodes.container()
        if self.content:
            self.state.nested_parse(self.content, self.content_offset, content)
        return [*self._said(name, argument), *content.children]

    def _said(self, name: str, argument: str) -> list[nodes.Node]:
        if not argument.strip():
            return []
        if name in _VERSIONS:
            version, rest = (*argument.split(None, 1), "")[:2]
            found, _messages = self.state.inline_text(rest, self.lineno)
            paragraph = nodes.paragraph("", f"{_VERSIONS[name]} {version}{': ' if rest else ''}")
            paragraph.extend(found)
            return [paragraph]
        if ":" in name or name in _SIGNATURES:
            return [nodes.paragraph("", line.strip()) for line in argument.split("\n") if line.strip()]
        found, _messages = self.state.inline_text(argument, self.lineno)
        return [nodes.paragraph("", "", *found)]


_SIGNATURES = frozenset(
    "function class "  # noqa: SIM905
    " method attribute data exception decorator decoratormethod classmethod staticmethod property option "
    "cmdoption program envvar opcode describe object type macro member var pdbcommand".split()
)
_BUILT_IN_ROLES = frozenset({"", *roles._role_registry})  # type: ignore[attr-defined] # there is no public list
_BUILT_IN_DIRECTIVES = frozenset(directives._directive_registry)  # type: ignore[attr-defined]
