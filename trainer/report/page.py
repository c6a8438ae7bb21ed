"""The report as one self-contained HTML page: no script, no other host, readable in light and dark and on paper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from trainer.findings import Comparison, Report
from trainer.report.figures import MISSING, count, interval, measure_name, moment, percent, points
from trainer.report.markup import Html, escaped, foreign, prose, tag
from trainer.report.reading import asked, judged_shares, mined
from trainer.report.sections import OF_COMPARISONS, SECTIONS
from trainer.report.summary import Summary, summary
from trainer.report.tables import lettered, verdict

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page: where it is found, its title, and what it says."""

    key: str
    title: str
    content: Sequence[Html]


def html(report: Report) -> str:
    """Return the page as well-formed HTML; nothing in the report becomes markup but the <mark> of its excerpts."""
    said = summary(report)
    return page(report, said.headline, [Part("summary", "In short", _short(report, said)), *parts(report)])


def parts(report: Report) -> list[Part]:
    """Return what a report says after its summary."""
    said = [section for section in SECTIONS if report.comparisons or section[0] not in OF_COMPARISONS]
    return [Part(key, title, list(content(report))) for key, title, content in said]


def page(report: Report, headline: str, found: Sequence[Part]) -> str:
    """Return a page of parts about a report's collection, the first of them its summary."""
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", f"{headline} – Tandem report"),
        tag("style", Html(f"\n{style}")),
    )
    first, *others = map(_section, found)
    main = tag("main", first, _contents(found[1:]), *others)
    body = tag("body", _header(report, headline), main, _footer(report))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _section(part: Part) -> Html:
    heading = tag("h2", part.title, id=f"{part.key}-title")
    return tag("section", heading, *part.content, id=part.key, aria_labelledby=f"{part.key}-title")


def _header(report: Report, headline: str) -> Html:
    about = f" · judgments {report.judgments or 'from files'} · {moment(report.made_at)}"
    return tag(
        "header",
        tag("p", "Tandem report", class_="kicker"),
        tag("h1", headline),
        tag("p", "Collection ", foreign(report.collection), about, class_="quiet"),
    )


def _footer(report: Report) -> Html:
    tandem = " ".join(part for part in ("Tandem", report.versions.get("tandem-search", "")) if part)
    return tag(
        "footer",
        tag(
            "p",
            f"Made by {tandem} on {moment(report.made_at)}. ",
            "The JSON file beside this page has the same content, at full precision.",
        ),
    )


def _contents(found: Sequence[Part]) -> Html:
    links = [tag("li", tag("a", part.title, href=f"#{part.key}")) for part in found]
    return tag("nav", tag("ul", *links), aria_label="Contents")


def _short(report: Report, said: Summary) -> list[Html]:
    return [
        *(key_figures(report, comparison) for comparison in report.comparisons[:1]),
        tag("h3", "What was found"),
        sentences("ul", said.found),
        tag("h3", "What to do next"),
        sentences("ol", said.next_steps),
        tag("h3", "What this does not know"),
        sentences("ul", said.unknown),
    ]


def sentences(kind: str, said: Iterable[str]) -> Html:
    """Return a list of sentences: ul, or ol where their order counts."""
    return tag(kind, *(tag("li", prose(sentence)) for sentence in said))


def key_figures(report: Report, main: Comparison) -> Html:
    """Return the main comparison's verdict, effect and queries at a glance."""
    contrast, shares, made = main.contrast, judged_shares(report), mined(report)
    judged = " and ".join(percent(shares[arm]) if arm in shares else MISSING for arm in (main.b, main.a))
    facts = [
        ("Verdict", verdict(main.verdict), lettered(main)),
        (
            f"Difference in {measure_name(report.measure)}",
            escaped(f"{points(contrast.effect)} points"),
            prose(f"95 % interval {interval(contrast.low, contrast.high)}"),
        ),
        (
            "Queries",
            escaped(count(contrast.queries)),
            escaped(f"{count(made)} of {count(asked(report))} mined" if made else "none mined"),
        ),
    ]
    if shares:
        facts.append(("First ten hits judged", prose(judged), escaped("of B and of A")))
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", value, class_="figure"), tag("dd", note))
            for name, value, note in facts
        ),
        class_="facts",
    )
