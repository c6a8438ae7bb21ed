"""Guess the language of a text from its script and its commonest words."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from indexer.audit.reading import prose_lines
from indexer.audit.report import MAX_EXAMPLES, AuditedDocument, Example, Finding, Severity, plural
from retrieval.analysis.stopwords import stopwords

UNKNOWN = "unknown"
MAX_CHARACTERS = 20_000
"""How much of a text is looked at."""
LEAST_LETTERS = 40
LEAST_SHARE = 0.1
"""A text in a language has at least this share of its commonest words; code and tables do not."""
LEAST_COMMON_WORDS = 4
LEAST_LEAD = 1.2
"""How far the best language must be ahead of the second."""

_LISTED = ["english", "german", "french", "spanish", "italian", "portuguese", "dutch", "swedish", "danish", "norwegian"]
_FURTHER = {
    "polish": "ale być co czy dla do gdy i jak jako jest już które na nie od oraz po przez się są tak to w z za że",
    "czech": "a aby ale ani co což do i jak jako je jsem jsou kde když které který na nebo od po pro se tak že v z",
    "finnish": "että ei ja jos joka jotka kanssa kuin kun mikä mitä mutta myös niin ovat oli on se sekä tai tämä vain",
    "hungarian": "a az azt csak de egy el és ez ezt ha hogy is kell már meg mint nem pedig van vagy volt",
    "romanian": "a acest această care ce cu de din este fi în la mai nu o pe pentru prin sau se și sunt un",
    "turkish": "bir bu ve için ile da de ne olarak daha çok gibi kadar olan sonra ya veya ama değil her mi şu en",
}
_PROFILES: Mapping[str, frozenset[str]] = {
    language: frozenset(word for word in words if len(word) > 1)  # single letters are names and units in any language
    for language, words in (
        *((language, stopwords(language)) for language in _LISTED),
        *((language, frozenset(words.split())) for language, words in _FURTHER.items()),
    )
}
_LANGUAGES_OF = Counter(word for profile in _PROFILES.values() for word in profile)

_SCRIPTS = (
    ("japanese", re.compile("[\u3040-\u30ff]")),
    ("korean", re.compile("[\uac00-\ud7af]")),
    ("chinese", re.compile("[\u3400-\u9fff]")),
    ("cyrillic", re.compile("[\u0400-\u04ff]")),
    ("arabic", re.compile("[\u0600-\u06ff]")),
    ("hebrew", re.compile("[\u0590-\u05ff]")),
    ("greek", re.compile("[\u0370-\u03ff]")),
    ("hindi", re.compile("[\u0900-\u097f]")),
    ("thai", re.compile("[\u0e00-\u0e7f]")),
)
_WORD = re.compile(r"[^\W\d_]+")


def language_of(text: str) -> str:
    """Return the English name of the language, in small letters, or "unknown"; fenced code is left out.

    Latin scripts are told apart by the commonest words of each language, a word that several share counting for less.
    """
    prose = "\n".join(prose_lines(text[:MAX_CHARACTERS]))
    words = _WORD.findall(prose.casefold())
    letters = sum(map(len, words))
    if not letters:
        return UNKNOWN
    found = Counter({name: len(pattern.findall(prose)) for name, pattern in _SCRIPTS})
    script, count = found.most_common(1)[0]
    if 2 * sum(found.values()) > letters:
        return _of_script(script, prose, found) if count else UNKNOWN
    return _of_latin_words(words) if letters >= LEAST_LETTERS else UNKNOWN


def language_findings(documents: Sequence[AuditedDocument]) -> tuple[Mapping[str, int], list[Finding]]:
    """Return how many documents there are in each language, commonest first, and what to do about the rarer ones."""
    languages = [document.language or language_of(document.text) for document in documents]
    counts = dict(sorted(Counter(languages).items(), key=lambda pair: (-pair[1], pair[0])))
    main = next((language for language in counts if language != UNKNOWN), UNKNOWN)
    findings = [] if main in ("english", UNKNOWN) else [_not_english(main, counts[main])]
    others = [
        (counts[language], language, document.id)
        for document, language in zip(documents, languages, strict=True)
        if language not in (main, UNKNOWN)
    ]
    return counts, findings + ([_mixed(main, sorted(others))] if others else [])


def _not_english(main: str, count: int) -> Finding:
    return Finding(
        "not-english",
        Severity.HIGH,
        count,
        f"{plural(count, 'document')} in {main}, the main language.",
        f"Set the collection's language to {main} and choose a multilingual model: the default one reads English.",
        (),
    )


def _mixed(main: str, others: Sequence[tuple[int, str, str]]) -> Finding:
    return Finding(
        "mixed-languages",
        Severity.MEDIUM,
        len(others),
        f"{plural(len(others), 'document')} not in {main}, the main language.",
        "Put each language in a collection of its own, or check that these documents belong here.",
        tuple(Example((document_id,), language) for _, language, document_id in others[:MAX_EXAMPLES]),
    )


def _of_latin_words(words: Sequence[str]) -> str:
    counts = Counter(words)
    scores = {
        language: sum(counts[word] / _LANGUAGES_OF[word] for word in profile) for language, profile in _PROFILES.items()
    }
    best, second = sorted(scores, key=lambda language: (-scores[language], language))[:2]
    common = [counts[word] for word in _PROFILES[best] if counts[word]]
    clear = scores[best] >= LEAST_LEAD * scores[second] and len(common) >= LEAST_COMMON_WORDS
    return best if clear and sum(common) >= LEAST_SHARE * len(words) else UNKNOWN


def _of_script(script: str, text: str, found: Counter[str]) -> str:
    """Tell apart the languages that share a script by letters that only one of them uses."""
    if script == "chinese" and 10 * found["japanese"] > found["chinese"]:
        return "japanese"
    if script == "cyrillic":
        if re.search("[іїєґ]", text):
            return "ukrainian"
        return "russian" if re.search("[ыэё]", text) else "bulgarian"
    if script == "arabic" and re.search("[پچژگ]", text):
        return "persian"
    return script
