"""Let short sections join the ones that follow them, so that no chunk is a scrap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from indexer.chunking.counting import Sized
from indexer.chunking.outline import Path, Section

Fits = Callable[["Group"], bool]


@dataclass(frozen=True, slots=True)
class Group:
    """Sections that are chunked together under `path`, their headings below it shown in the text.

    `trailing` sections are headings with nothing under them that found no better place.
    """

    path: Path
    sections: tuple[Section, ...]
    trailing: tuple[Section, ...] = ()

    @property
    def blocks(self) -> list[Sized]:
        """The blocks in order, with the headings that `path` does not name."""
        blocks: list[Sized] = []
        shown = set(self.path)
        for section in (*self.sections, *self.trailing):
            unseen = [heading for heading in section.path if heading not in shown]
            shown.update(unseen)
            blocks += [heading.line for heading in unseen]
            blocks += section.blocks
        return blocks


def merged(sections: Sequence[Section], min_tokens: int, whole_fits: Fits) -> list[Group]:
    """Return the sections in groups: one of under `min_tokens` takes in the next under its parent while all fits."""
    groups: list[Group] = []
    for section in sections:
        if groups and _tokens(groups[-1]) < min_tokens and _under_same_parent(groups[-1], section):
            wider = _group((*groups[-1].sections, section))
            if whole_fits(wider):
                groups[-1] = wider
                continue
        groups.append(_group((section,)))
    return _without_lone_headings(groups)


def _without_lone_headings(groups: Sequence[Group]) -> list[Group]:
    """Give headings that have nothing under them to the group before; the first ones to the group after."""
    kept: list[Group] = []
    leading: tuple[Section, ...] = ()
    for group in groups:
        if any(section.blocks for section in group.sections):
            kept.append(_group((*leading, *group.sections)) if leading else group)
            leading = ()
        elif kept:
            kept[-1] = replace(kept[-1], trailing=kept[-1].trailing + group.sections)
        else:
            leading += group.sections
    return [*kept, Group((), leading)] if leading else kept


def _group(sections: tuple[Section, ...]) -> Group:
    first, *rest = (section.path for section in sections)
    common = takewhile(lambda heading: all(heading in path for path in rest), first)
    return Group(tuple(common), sections)


def _tokens(group: Group) -> int:
    return sum(sized.tokens for sized in group.blocks)


def _under_same_parent(group: Group, section: Section) -> bool:
    own = group.sections[0].path
    parent = own[:-1]
    return section.path[: len(parent)] == parent and (len(section.path) > len(parent) or section.path == own)
