"""Snowball stems, one cached stemmer a language."""

import threading
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final

import Stemmer  # type: ignore[import-not-found]  # PyStemmer ships no types

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


STEMMER_VERSION: Final = f"pystemmer-{Stemmer.version()}"
"""Two versions may stem a word differently."""


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
    snowball = Stemmer.Stemmer(language, 0)  # without its own cache: ours keeps the folded stem
    lock = threading.Lock()

    @lru_cache(maxsize=CACHED_STEMS)
    def stem(word: str) -> str:
        if language in _UNACCENTED:
            word = fold_accents(word)
        try:
            with lock:  # a Snowball stemmer keeps the word it works on in itself
                return fold_accents(snowball.stemWord(word)) or word
        except UnicodeEncodeError:  # half of a surrogate pair: no word of any language
            return fold_accents(word)

    return stem
