"""Folding: one form for the ways a word can be written. NFKC, case, then accents."""

import unicodedata
from typing import Final

# Letters that carry a stroke or are joined, which Unicode does not decompose.
_STROKED: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_INVISIBLE: Final = str.maketrans({"\xad": None, "\u200c": None, "\u200d": None, "\u2019": "'"})
# Only Latin, Greek and Cyrillic use this block: the marks of other scripts are vowels and stay.
_ACCENTS: Final = dict.fromkeys(range(0x300, 0x370))


def fold_case(text: str) -> str:
    """Return the NFKC, case-folded form, accents kept (stemmers need them), invisible characters removed."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_INVISIBLE)


def fold_accents(text: str) -> str:
    """Remove accents from text that `fold_case` returned: `é` -> `e`, `ø` -> `o`."""
    if text.isascii():
        return text
    bare = unicodedata.normalize("NFD", text).translate(_ACCENTS)
    return unicodedata.normalize("NFC", bare).translate(_STROKED)


def fold(text: str) -> str:
    """Fold compatibility forms, case and accents."""
    return fold_accents(fold_case(text))
