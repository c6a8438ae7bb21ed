"""Known-item queries: what the documents of a collection ask for themselves, mined without a language model.

A title, a question or an anchor was written to say what a document is about, so a reader may well type it. It names
one relevant document and says nothing of the others: what it measures is no substitute for human judgments.
"""

from trainer.known_items.masks import masked
from trainer.known_items.mining import KnownItem, Mined, groups_of, mine

__all__ = ["KnownItem", "Mined", "groups_of", "masked", "mine"]
