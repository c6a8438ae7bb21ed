"""The report as one self-contained HTML page: no script, no other host, readable in light and dark and on paper."""

from importlib import resources

from trainer.findings import Comparison, Report
from trainer.report.figures import MISSING, count, interval, measure_name, moment, percent, points
from trainer.report.markup import Html, escaped, foreign, prose, tag
from trainer.report.reading import asked, judged_shares, mined
from trainer.report.sections import SECTIONS
from trainer.report.summary import Summary, summary
from trainer.report.tables import lettered, verdict

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(report: Report) -> str:
    """Return the page as well-formed HTML; nothing in the report becomes markup but the <mark> of its excerpts."""
    said = summary(report)
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", f"{said.headline} – Tandem report"),
        tag("style", Html(f"\n{style}")),
    )
    sections = [_section(key, title, *content(report)) for key, title, content in SECTIONS]
    body = tag(
        "body", _header(report, said), tag("main", _short(report, said), _contents(), *sections), _footer(report)
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _section(key: str, title: str, *content: Html) -> Html:
    return tag("section", tag("h2", title, id=f"{key}-title"), *content, id=key, aria_labelledby=f"{key}-title")


def _header(report: Report, said: Summary) -> Html:
    about = f" · judgments {report.judgments or 'from files'} · {moment(report.made_at)}"
    return tag(
        "header",
        tag("p", "Tandem report", class_="kicker"),
        tag("h1", said.headline),
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


def _contents() -> Html:
    links = [tag("li", tag("a", title, href=f"#{key}")) for key, title, _ in SECTIONS]
    return tag("nav", tag("ul", *links), aria_label="Contents")


def _short(report: Report, said: Summary) -> Html:
    return _section(
        "summary",
        "In short",
        *(_key_figures(report, comparison) for comparison in report.comparisons[:1]),
        tag("h3", "What was found"),
        _sentences("ul", said.found),
        tag("h3", "What to do next"),
        _sentences("ol", said.next_steps),
        tag("h3", "What this does not know"),
        _sentences("ul", said.unknown),
    )


def _sentences(kind: str, sentences: tuple[str, ...]) -> Html:
    return tag(kind, *(tag("li", prose(sentence)) for sentence in sentences))


def _key_figures(report: Report, main: Comparison) -> Html:
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
