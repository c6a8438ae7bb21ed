"""The report on a comparison of arms: one page for people, one JSON document for programs."""

from trainer.report.document import SCHEMA, compare_json, to_json
from trainer.report.page import html
from trainer.report.summary import Summary, summary

__all__ = ["SCHEMA", "Summary", "compare_json", "html", "summary", "to_json"]
