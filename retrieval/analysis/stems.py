"""Snowball stems, one cached stemmer a language."""

import importlib
import threading
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final, Protocol, cast

from retrieval.analysis.folding import fold_accents
from retrieval.errors import UsageError

# fmt: off
LANGUAGES: Final = (
    "none", "arabic", "armenian", "basque", "catalan", "czech", "danish", "dutch", "english", "esperanto", "estonian",
    "finnish", "french", "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian",
    "nepali", "norwegian", "persian", "polish", "portuguese", "romanian", "russian", "serbian", "spanish", "swedish",
    "tamil", "turkish", "yiddish",
)
# fmt: on
"""Languages an analyzer can be made for; "none" neither stems nor knows stop words."""

CACHED_STEMS: Final = 1 << 16

_UNACCENTED: Final = frozenset({"english", "indonesian"})


class _Snowball(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802 (the library's name)


@cache
def stemmer(language: str) -> Callable[[str], str]:
    """Return a thread-safe function from a case-folded word to its stem, free of accents.

    Accents go after stemming, because the algorithms of most languages look at them; before it in languages that write
    none, so that résumé meets resume. Raises UsageError for a language that is not in LANGUAGES.
    """
    if language not in LANGUAGES:
        raise UsageError(f"Language {language!r} is unknown; choose one of {', '.join(LANGUAGES)}.")
    if language == "none":
        return fold_accents
    # The pure-Python class is named outright: the package's own choice depends on what else is installed.
    module = importlib.import_module(f"snowballstemmer.{language}_stemmer")
    snowball = cast("_Snowball", getattr(module, f"{language.capitalize()}Stemmer")())
    lock = threading.Lock()

    @lru_cache(maxsize=CACHED_STEMS)
    def stem(word: str) -> str:
        if language in _UNACCENTED:
            word = fold_accents(word)
        with lock:  # a Snowball stemmer keeps the word it works on in itself
            return fold_accents(snowball.stemWord(word)) or word

    return stem
