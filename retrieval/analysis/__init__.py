"""Text to index terms: word forms, stems and identifiers. Everything here is pure, linear in the text, and versioned.

A document is never reduced: every word, stop words too, becomes a term. A query is: stop words are left out, and the
parts of an identifier weigh less than the identifier.
"""

from retrieval.analysis.analyzer import ANALYZER_VERSION, Analyzer
from retrieval.analysis.identifiers import Identifier
from retrieval.analysis.stems import LANGUAGES
from retrieval.analysis.words import Word

__all__ = ["ANALYZER_VERSION", "LANGUAGES", "Analyzer", "Identifier", "Word"]
