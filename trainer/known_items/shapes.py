"""What of a title, heading or anchor a reader would type, and which shapes of text they would not."""

import html
import re
import unicodedata

from trainer.known_items.words import MONTHS

MOST_CHARACTERS = 400
"""Read of a text as written: what is longer is no title, and its beginning says so."""

_TAG = re.compile(r"</?(?:a|abbr|b|br|code|div|em|i|img|kbd|mark|p|s|small|span|strong|sub|sup|u)\b[^<>]*>", re.I)
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_STRONG = re.compile(r"(?<![\w*])\*\*([^*\s](?:[^*]*[^*\s])?)\*\*(?![\w*])")
_LEFTOVER = re.compile(r"\{[#.:][^{}]*\}|(?<!\S):[a-z0-9_+-]+:(?!\S)|`|(?<!\S)~~|~~(?!\S)|¶|(?<=\s)(?:\(\s*\)|\[\s*\])")
_SYMBOLS = frozenset({"So", "Cs", "Co", "Cn"})
_INVISIBLE = frozenset("\xad\u200b\ufeff\ufe0e\ufe0f\u20e3\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_DATE = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}(?:T[\d:.]+Z?)?[\s:,_–—-]*")
_NUMBERING = re.compile(
    r"^(?:(?:step|part|chapter|section|question|lesson|appendix)\s+(?:\d{1,3}|[a-z])\s*[.:)–—-]"
    r"|\(?\d{1,2}(?:\.\d{1,2})*[.)]|\(?[a-z]\)|(?:i{1,3}|iv|vi{1,3}|ix)[.)]|q\s?\d{0,3}[:.)]|question:)\s+",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"^(?:(?:so|ok|okay|but|and|well|now|wait|tl;?dr)[,:]?\s+)+"
    r"(?=(?:how|why|what|which|who|where|when|can|do|does|is|are)\b)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^[>#•·*|:,;–—-]+\s+")
_TRAILING = re.compile(r"(?:\s+#+|(?<=[a-z)\]]{2})#|[\s.,:;!…·|–—(\[{-])+$")
_QUOTED = re.compile(r"[\"“'‘]([^\"“”‘’]+)[\"”'’]")

_NUMBER = re.compile(r"\bv?\d[\d.,]*(?:st|nd|rd|th|\w{0,2}\b)?|\bq[1-4]\b")
_MONTH = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b\.?")
_RUN_OF_NUMBERS = re.compile(r"#(?:[\s/,._–—-]*#)+")

_POINTERS = "this these those they them their theirs its our ours us we he she his her above below aforementioned"
_POINTING = re.compile(
    rf"\b(?:{'|'.join(f'[{word[0].upper()}{word[0]}]{word[1:]}' for word in _POINTERS.split())})\b"
    r"|^[Tt]hat\b|\b(?:is|was|about|like|does|do) that\b|\bthat(?=\W*$|\s+(?:to|into|in|as|with|from|for)\b)"
    r"|\b[Ii]t\b(?!\s+(?:take|mean)\b)"
)
_EXPLETIVE = re.compile(r"\b(?:[Ii]s|[Ww]as) it(?: \w+){1,2} (?:to|that|if)\b")
_QUESTION = re.compile(
    r"^(?:how|why)\b|^(?:what|which|who|where|when)\s+(?:is|are|was|were|do|does|did|can|should|to|will|would|has|have)\b"
    r"|^(?:what|who|where)['’]s\b|^wh(?:en|ere)\s+(?:not\s+)?to\b",
    re.IGNORECASE,
)

_PERSON = re.compile(r"\b(?:I|[Mm]y|mine|me|[Yy]ou|[Yy]our)\b")
_GOES_ON = re.compile(
    r"(?:other|another|more|both|without|also|some|same|specific|further|next|only|if|and|but)\b", re.I
)
_TWO_SENTENCES = re.compile(r"[.!?…]\s+\S")
_TIMELY = re.compile(
    r"\b(?:previous|previously|prior|last|later|earlier|recent|recently|following|next|today|yesterday|ago|soon)\b",
    re.I,
)
_OPENS_CLAUSE = re.compile(
    r"(?:(?i:and|or|but|so|because|which|who|where|when|if|to|of|in|on|at|by|for|from|with|not|still|also|already|then"
    r"|as|learn|read|see|check|click|view|visit|find|discover|join|sign|register|subscribe)|[a-z]+ed|[a-z]+ly)\s"
)
_NAMES_A_PAGE = re.compile(r"\b(?:posts?|blog|article|page|link|section|chapter|here|details)\b", re.IGNORECASE)
_FINITE = re.compile(
    r"\b(?:has|have|had|is|are|was|were|be|been|can|could|will|would|should|might|must|does|did|do)\b", re.IGNORECASE
)
_REFERENCE = re.compile(
    r"^(?:method of|see|same as|alias|deprecated|internal|undocumented|todo|args|arguments|parameters|returns?:)\b"
    r"|\b(?:following|above|below)\b|\bsee (?:also|help)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\S*(?:://|^www\.)\S*")
_SIGNATURE = re.compile(r"[\w\]]\([^()]*[,\[=]")


def cleaned(text: str) -> str:
    """Return a title, heading or anchor as a query: without markup, numbering, a date before it, emoji; case kept."""
    text = unicodedata.normalize("NFC", html.unescape(text[:MOST_CHARACTERS]))
    text = "".join(" " if _is_symbol(character) else character for character in text)
    text = _LEFTOVER.sub("", _STRONG.sub(r"\1", _LINK.sub(r"\1", _TAG.sub("", text))))
    text = _BULLET.sub("", _DATE.sub("", " ".join(text.split())))
    text = _TRAILING.sub("", _LEAD_IN.sub("", _NUMBERING.sub("", text))).strip()
    quoted = _QUOTED.fullmatch(text)
    return quoted[1].strip() if quoted else text


def _is_symbol(character: str) -> bool:
    return character > "~" and (character in _INVISIBLE or unicodedata.category(character) in _SYMBOLS)


def is_question(text: str) -> bool:
    """Tell whether a heading asks something, with or without a question mark."""
    return text.endswith(("?", "？", "؟")) or bool(_QUESTION.search(text))


def points_elsewhere(text: str) -> bool:
    """Tell whether a text means something only beside what stands around it: "How does this perform?"."""
    return bool(_POINTING.search(_EXPLETIVE.sub("", text)))


def is_name(text: str) -> bool:
    """Tell whether a text is one name or signature in code rather than a phrase."""
    return (" " not in text and text.isascii()) or bool(_SIGNATURE.search(text))


def is_relative(text: str) -> bool:
    """Tell whether a heading goes on from what stands before it, talks to its reader, or is more than one sentence."""
    return bool(_GOES_ON.match(text) or _PERSON.search(text) or _TWO_SENTENCES.search(text))


def is_clause(text: str) -> bool:
    """Tell whether an anchor is a piece of its sentence, not a name of what it leads to: "posted the following"."""
    return bool(_OPENS_CLAUSE.match(text)) or any(
        pattern.search(text) for pattern in (_FINITE, _TIMELY, _PERSON, _NAMES_A_PAGE)
    )


def is_reference(text: str) -> bool:
    """Tell whether the first sentence of a docstring only refers to something else: "See also", "the following"."""
    return bool(_REFERENCE.search(text) or _SIGNATURE.search(text))


def is_address(text: str) -> bool:
    """Tell whether a text is a URL."""
    return bool(_ADDRESS.fullmatch(text))


def family(text: str) -> str:
    """Return what a text has in common with those that differ from it in numbers, dates or names of months only."""
    return _RUN_OF_NUMBERS.sub("#", _MONTH.sub("#", _NUMBER.sub("#", text.casefold())))
