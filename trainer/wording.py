"""Sentences that a comparison and a tuning say alike."""

from collections.abc import Iterable

from trainer.findings import Contrast, SliceResult


def evidence(found: Contrast) -> str:
    """Say how sure an effect is."""
    return f"the 95 % interval is {found.low:+.4f} to {found.high:+.4f}, p {found.adjusted_p:.4f}"


def losses(slices: Iterable[SliceResult]) -> list[str]:
    """Say where it is worse, a sentence each."""
    return [
        f"Worse by {-one.contrast.effect:.4f} on the {one.contrast.queries} queries of the slice {one.name!r}."
        for one in slices
        if one.regressed
    ]


def outlook(more_queries: int | None) -> str:
    """Say how many more queries it takes; "" where nothing is to be settled."""
    if more_queries is None:
        return "No number of further queries within reason would settle it."
    return f"About {more_queries} more queries of this kind would settle it." if more_queries else ""
