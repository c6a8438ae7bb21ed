"""Signatures and docstrings as they can be compared from run to run: no addresses, no order that a hash decides."""

import inspect
import re
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_SELF = re.compile(r"\((?:self|cls|mcls|/|\$\w+)(?:, |(?=\)))(?:/(?:, |(?=\))))?")
_IMPLICIT = re.compile(r"^\(\$\w+(?:,\s*/)?(?:,\s*)?")
"""The module or object that C signatures begin with."""

_GENERATED = frozenset(
    doc for owner in (object, type) for name, value in vars(owner).items() if (doc := getattr(value, "__doc__", None))
)
"""Docstrings that every class has, such as that of object.__init__."""

_LONG, _LONGEST = 400, 2000
"""Characters from which a signature is shown without annotations, and from which it is not shown."""


def signature_of(value: Any, *, bound: bool = False) -> str:
    """Return "(func, /, *args)" or "" where there is none to be had; `bound` drops the first parameter's self or cls.

    Default values are shown without memory addresses and sets in sorted order, so two runs agree.
    """
    try:
        signature = inspect.signature(value)
        text = _written(signature)
        if len(text) > _LONG:
            bare = [
                parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()
            ]
            text = _written(signature.replace(parameters=bare))
    except Exception:  # what a foreign object raises when it is looked at is its own affair
        text = _c_signature(value)
    text = " ".join(text.split())
    text = _SELF.sub("(", text, count=1) if bound else text
    return text if len(text) <= _LONGEST else "(...)"


def _written(signature: inspect.Signature) -> str:
    parameters = [_steady(parameter) for parameter in signature.parameters.values()]
    return _ADDRESS.sub("", str(signature.replace(parameters=parameters)))


def _without_annotations(signature: inspect.Signature) -> inspect.Signature:
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)


def _c_signature(value: Any) -> str:
    """Return what a C function says of itself, where a default value cannot be shown as Python."""
    text = attribute(value, "__text_signature__")
    return _IMPLICIT.sub("(", text) if isinstance(text, str) else ""


def _steady(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    if isinstance(default, (set, frozenset)) and default:
        shown = f"{{{', '.join(sorted(map(repr, default)))}}}"
    elif default is not parameter.empty and len(repr(default)) > 80:
        shown = "..."
    else:
        return parameter
    return parameter.replace(default=_Shown(shown))


class _Shown:
    """Stands in for a default value and prints as given."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def own_doc(value: Any) -> str:
    """Return an object's own docstring without memory addresses, or "" where it is absent or inherited from object."""
    doc = vars(value).get("__doc__") if isinstance(value, type) else attribute(value, "__doc__")
    if not isinstance(doc, str) or doc in _GENERATED:
        return ""
    return _ADDRESS.sub("", inspect.cleandoc(doc))


def attribute(value: Any, name: str) -> Any:
    """Return an attribute of a foreign object, or None where it has none or does not let itself be asked."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None
