"""What to clean before thinking of models: a report on the quality of a collection's documents.

Pure functions over values; the same documents give the same report.
"""

from indexer.audit.auditor import audit
from indexer.audit.report import AuditedDocument, AuditReport, Bin, Example, Finding, Severity

__all__ = ["AuditReport", "AuditedDocument", "Bin", "Example", "Finding", "Severity", "audit"]
