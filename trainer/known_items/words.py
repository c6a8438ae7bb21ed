"""Which words of a title or heading tell what it is about, and which any title or heading may have."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from retrieval.analysis import Analyzer
from retrieval.analysis.stopwords import stopwords

# fmt: off
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)
# fmt: on
"""Names of months and days, as dates have them."""

_OF_DOCUMENTS = """
abstract acknowledgement acknowledgment addendum advanced afterword announcement announcing appendix archive article
author basic bibliography blog caveat changelog chapter closing comment conclusion content contribute contributing
contributor copyright credit disclaimer doc document documentation epilogue example faq footnote foreword frequently
further getting glossary guide help home homepage howto index info information installation installing instruction intro
introduction issue learn learning licence license link list main minutes misc miscellaneous news note outline outlook
overview page part post preface prerequisite prologue question quickstart reading readme recap reference release remark
resource review schedule section setup site start started status step summary table thank thanks tip title todo topic
trick troubleshooting tutorial update usage user welcome wrap
"""
_OF_SECTIONS = """
about answer background common contact definition description detail discussion feature feedback figure final general
goal highlight history idea important install involved item legal material meeting method methodology motivation
navigation notice option other output problem purpose recommendation related requirement result sample solution
structure support task team technical term test testing thought warning
"""
_LIGHT = """
add again all already also always another any anyone anything anyway actual actually available become begin behind best
better big bit both bring case cause change check choose come consider contain current currently day deal decide did
different do does done each easy else end enough ever every everyone everything expect few find first follow following
give go going good great happen happening hard here hope i include included instead just keep kind know last later least
less let like little long look made make making many matter maybe mean might month more most much must necessary need
never new next no nothing now old one only order otherwise out overall own people person place plan please point
possible pretty previous put quick quickly quite reach really reason right said same say second see set several shall
show simple since small some someone something soon still stuff such sure take tell than then there thing think third
though through today together too trying try turn two under understand until up upon upcoming use used uses using
various very via want way we week well whether while work working year yes yet
"""

_NUMBER = re.compile(r"v?\d[\d.]*(?:st|nd|rd|th)?")


class Words:
    """Takes the words of queries apart, as the language's analyzer reads them. The lists above know English."""

    def __init__(self, language: str) -> None:
        """Take the language of the collection; raises UsageError for an unknown one."""
        self._analyzer = Analyzer(language)
        self._language = language

    def counts(self, text: str) -> Counter[str]:
        """Count the index terms of a document."""
        return self._analyzer.terms(text)

    def content(self, text: str) -> frozenset[str]:
        """Return the terms of a query that are neither stop words nor numbers."""
        weights = self._analyzer.query_terms(text).items()
        return frozenset(term for term, weight in weights if weight >= 1 and not _is_number(term)) - self._stop

    def numbers(self, text: str) -> frozenset[str]:
        """Return the terms of a query that are numbers or versions."""
        return frozenset(filter(_is_number, self._analyzer.query_terms(text)))

    def informative(self, text: str, *, of_section: bool) -> frozenset[str]:
        """Return the content without the words that any document's title has, or any section's heading."""
        return self.content(text) - (self._in_headings if of_section else self._in_titles)

    def key(self, text: str) -> frozenset[str]:
        """Return what two wordings of one query share: stems and numbers, in whatever order."""
        return frozenset(self._analyzer.query_terms(text))

    def has_identifier(self, text: str) -> bool:
        """Tell whether a name in code is in the text, going by its shape."""
        return any(identifier.strong for identifier in self._analyzer.identifiers(text))

    @cached_property
    def _stop(self) -> frozenset[str]:
        return self._stems(stopwords(self._language))

    @cached_property
    def _in_titles(self) -> frozenset[str]:
        return self._stems([*_OF_DOCUMENTS.split(), *_LIGHT.split(), *MONTHS])

    @cached_property
    def _in_headings(self) -> frozenset[str]:
        return self._in_titles | self._stems(_OF_SECTIONS.split())

    def _stems(self, words: Iterable[str]) -> frozenset[str]:
        return frozenset(term for word in words for term in self._analyzer.terms(word))


def _is_number(term: str) -> bool:
    return not any(map(str.isalpha, term)) or bool(_NUMBER.fullmatch(term))
