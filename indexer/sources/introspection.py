"""What a Python package documents: its public modules, classes, functions and methods, each under one public name."""

import importlib
import io
import pkgutil
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from indexer.sources.base import Problem
from indexer.sources.docstrings import summary
from indexer.sources.signatures import attribute, own_doc, signature_of
from retrieval.errors import SourceError

_LEFT_OUT = frozenset({"test", "tests", "conftest", "idlelib", "idle_test", "turtledemo"})

_IMPLEMENTATIONS = frozenset({"posix", "nt", "posixpath", "ntpath", "genericpath"})
"""Modules with public names that are the inside of another one: `os.posix_fadvise` calls itself posix's."""

_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.WrapperDescriptorType,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One documented thing: `name` is its public dotted name, `module` the public module that shows it."""

    name: str
    kind: str
    module: str
    docstring: str
    signature: str = ""
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """An enumeration's members as "NAME = value"."""
    owner: str = ""
    """Of a method without a docstring, what its class says in its first paragraph; there is little else to find."""


@dataclass(slots=True)
class _Candidate:
    """An object and all the public names it was seen under."""

    object: Any
    names: list[tuple[str, str]] = field(default_factory=list)

    def best(self) -> tuple[str, str]:
        """Return (module, name): the shallowest, then the one the object itself carries, then the first by letter."""
        own = attribute(self.object, "__name__")
        return min(self.names, key=lambda pair: (pair[0].count("."), pair[1] != own, pair[0], pair[1]))


def entries_of(package: str) -> tuple[list[Entry], list[Problem]]:
    """Import a package and return all it documents, sorted by name, with a problem for each module that did not load.

    What the imports print is dropped. Raises SourceError where the package itself cannot be imported.
    """
    with _quiet():
        modules, problems = _modules(package)
        return _documented(modules, package), problems


def _documented(modules: dict[str, types.ModuleType], package: str) -> list[Entry]:
    candidates: dict[int, _Candidate] = {}
    for public, module in modules.items():
        for name, value in _public_members(module, package):
            candidates.setdefault(id(value), _Candidate(value)).names.append((public, name))
    entries = [entry for public, module in modules.items() for entry in _module_entry(public, module)]
    for candidate in candidates.values():
        entries.extend(_entries(candidate))
    unique = {entry.name: entry for entry in entries}
    return _without_twins(sorted(unique.values(), key=lambda entry: entry.name))


def _without_twins(entries: list[Entry]) -> list[Entry]:
    """Drop methods that the package also offers as a function (`random.Random.randint`), keeping them as aliases."""
    functions = {_twin_key(entry): entry.name for entry in entries if entry.kind == "function" and entry.docstring}
    twins: dict[str, list[str]] = {}
    for entry in entries:
        if entry.kind == "method" and _twin_key(entry) in functions:
            twins.setdefault(functions[_twin_key(entry)], []).append(entry.name)
    dropped = {name for names in twins.values() for name in names}
    return [
        replace(entry, aliases=tuple(sorted({*entry.aliases, *twins.get(entry.name, ())})))
        for entry in entries
        if entry.name not in dropped
    ]


def _twin_key(entry: Entry) -> tuple[str, str, str, str]:
    return entry.module, entry.name.rpartition(".")[2], entry.signature, entry.docstring


def _modules(package: str) -> tuple[dict[str, types.ModuleType], list[Problem]]:
    try:
        root = importlib.import_module(package)
    except (Exception, SystemExit) as error:
        raise SourceError(
            f"The package {package!r} cannot be imported here ({type(error).__name__}: {error}); "
            "install it in this environment, or check the spelling."
        ) from None
    found, problems = {package: root}, list[Problem]()
    for name in _submodules(package, root):
        try:
            found[name] = importlib.import_module(name)
        except (Exception, SystemExit) as error:
            # Such modules are for another platform or an absent extra: no fault of the rest of the package.
            problems.append(Problem(name, f"cannot be imported here: {type(error).__name__}: {error}", True))
    return found, problems


def _submodules(package: str, root: types.ModuleType) -> Iterator[str]:
    """Name the public modules below a package, importing the packages among them on the way, outermost first."""
    for found in sorted(pkgutil.iter_modules(getattr(root, "__path__", [])), key=lambda found: found.name):
        if found.name.startswith("_") or found.name in _LEFT_OUT:
            continue
        name = f"{package}.{found.name}"
        yield name
        if found.ispkg:
            try:
                below = importlib.import_module(name)
            except (Exception, SystemExit):  # noqa: S112 - reported where the module itself is imported
                continue
            yield from _submodules(name, below)


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _public_members(module: types.ModuleType, package: str) -> Iterator[tuple[str, Any]]:
    listed = attribute(module, "__all__")
    listed = [name for name in listed if isinstance(name, str)] if isinstance(listed, (list, tuple, set)) else None
    names = listed if listed is not None else [name for name in vars(module) if not name.startswith("_")]
    for name in sorted(names):
        value = attribute(module, name)
        if (
            value is not None
            and not isinstance(value, types.ModuleType)
            and _belongs(value, package, listed=listed is not None)
        ):
            yield name, value


def _belongs(value: Any, package: str, *, listed: bool) -> bool:
    """Say whether the package is where a reader would look this object up."""
    home = attribute(value, "__module__")
    if isinstance(value, types.MethodType):  # random.randint: a method of a hidden instance, offered as a function
        return listed
    if not isinstance(home, str):
        return listed and isinstance(value, types.BuiltinFunctionType)
    if home == package or home.startswith(f"{package}."):
        return True
    return home in _IMPLEMENTATIONS or home.startswith("_")


def _module_entry(public: str, module: types.ModuleType) -> Iterator[Entry]:
    if doc := own_doc(module):
        yield Entry(public, "module", public, doc)


def _entries(candidate: _Candidate) -> Iterator[Entry]:
    module, name = candidate.best()
    full, value = f"{module}.{name}", candidate.object
    aliases = tuple(sorted({".".join(pair) for pair in candidate.names} - {full}))
    if isinstance(value, type):
        yield from _class_entries(value, full, module, aliases=aliases)
        return
    doc = own_doc(value)
    if isinstance(value, _FUNCTIONS) or (callable(value) and attribute(value, "__wrapped__") is not None):
        signature = signature_of(value)
        if doc or signature.strip("()"):
            yield Entry(full, "function", module, doc, signature, aliases)
    elif doc and doc != own_doc(type(value)):
        yield Entry(full, "data", module, doc, "", aliases)


def _class_entries(cls: type, name: str, module: str, *, aliases: tuple[str, ...]) -> Iterator[Entry]:
    doc, short = own_doc(cls), name.rpartition(".")[2]
    init = own_doc(vars(cls).get("__init__")) if isinstance(vars(cls).get("__init__"), types.FunctionType) else ""
    if text := "\n\n".join(part for part in (doc, init) if part and part.strip() != short):
        kind = "exception" if issubclass(cls, BaseException) else "class"
        signature = "" if issubclass(cls, Enum) else signature_of(cls)
        yield Entry(name, kind, module, text, signature, aliases, _values(cls))
    for member, raw in sorted(vars(cls).items()):
        if not member.startswith("_"):
            yield from _member_entries(cls, f"{name}.{member}", module, raw)


def _member_entries(cls: type, name: str, module: str, raw: Any) -> Iterator[Entry]:
    member = name.rpartition(".")[2]
    if isinstance(raw, type):
        if raw.__qualname__ == f"{cls.__qualname__}.{member}":
            yield from _class_entries(raw, name, module, aliases=())
        return
    doc = own_doc(raw)
    if isinstance(raw, (property, types.GetSetDescriptorType, types.MemberDescriptorType)) or _is_cached(raw):
        if doc:
            yield Entry(name, "property", module, doc)
        return
    called = raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw
    if not isinstance(called, _FUNCTIONS) or isinstance(raw, types.BuiltinFunctionType):
        return  # a builtin in a class body is a function of some other module, kept there as a setting
    doc, signature = own_doc(called), signature_of(called, bound=not isinstance(raw, staticmethod))
    if not doc and (not signature.strip("()") or _defined_above(cls, member)):
        return
    yield Entry(name, "method", module, doc, signature, owner="" if doc else summary(own_doc(cls)))


def _is_cached(raw: Any) -> bool:
    return type(raw).__name__ == "cached_property" and isinstance(getattr(raw, "func", None), types.FunctionType)


def _defined_above(cls: type, member: str) -> bool:
    """Say whether a base class has this method, so that an override without words of its own is no document."""
    return any(member in vars(base) for base in cls.__mro__[1:])


def _values(cls: type) -> tuple[str, ...]:
    if not issubclass(cls, Enum):
        return ()
    return tuple(f"{m.name} = {m.value!r}" for m in cls if isinstance(m.value, (int, str)))
