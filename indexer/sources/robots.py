"""robots.txt, read as RFC 9309 says: the longest matching rule of the most specific group, `*` and `$` in paths.

The standard library's parser takes the first match and knows no wildcards, so it would fetch pages that sites exclude.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes, urlsplit

LIMIT_BYTES = 512_000
"""What is read of a robots.txt; the RFC asks for at least 500 KiB."""

_LONGEST_DELAY_S = 60.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One Allow or Disallow line; `pattern` is its path with percent-escapes in one form."""

    allow: bool
    pattern: str

    def matches(self, path: str) -> bool:
        """Say whether the path begins as the pattern has it; linear in the path for each `*`, however hostile."""
        anchored = self.pattern.endswith("$")
        first, *parts = self.pattern.removesuffix("$").split("*")
        if not path.startswith(first):
            return False
        at = len(first)
        for index, part in enumerate(parts):
            if anchored and index == len(parts) - 1:
                return path.endswith(part) and len(path) - len(part) >= at
            found = path.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return not anchored or at == len(path)


@dataclass(frozen=True, slots=True)
class Robots:
    """What a site asks of one user agent. The empty one allows everything."""

    rules: tuple[Rule, ...] = ()
    delay_s: float = 0.0
    sitemaps: tuple[str, ...] = ()

    def allows(self, url: str) -> bool:
        """Say whether a URL may be fetched; of two rules of one length the allowing one wins."""
        parts = urlsplit(url)
        path = _escaped((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        if path == "/robots.txt":
            return True
        matching = [rule for rule in self.rules if rule.matches(path)]
        return max(matching, key=lambda rule: (len(rule.pattern), rule.allow)).allow if matching else True


@dataclass(slots=True)
class _Group:
    agents: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    delay_s: float = 0.0


def robots_of(text: str, agent: str) -> Robots:
    """Return what robots.txt says to an agent such as "tandem-search"; anything it cannot read is passed over."""
    groups, sitemaps = _groups(text)
    named = [group for group in groups if agent.lower() in group.agents]
    chosen = named or [group for group in groups if "*" in group.agents]
    rules = tuple(rule for group in chosen for rule in group.rules)
    return Robots(rules, max((group.delay_s for group in chosen), default=0.0), tuple(sitemaps))


def _groups(text: str) -> tuple[list[_Group], list[str]]:
    groups: list[_Group] = []
    sitemaps: list[str] = []
    naming = False
    for line in text.lstrip("\ufeff").splitlines():
        name, _, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "sitemap" and value:
            sitemaps.append(value)
        elif name == "user-agent":
            if not naming:
                groups.append(_Group())
            groups[-1].agents.append(_product(value))
            naming = True
        elif groups and name in ("allow", "disallow", "crawl-delay"):
            naming = False
            _add(groups[-1], name, value)
    return groups, sitemaps


def _product(agent: str) -> str:
    """Return a user agent's name without its version, in lower case."""
    match = re.match(r"[A-Za-z_*-]+", agent)
    return match[0].lower() if match else ""


def _add(group: _Group, name: str, value: str) -> None:
    if name == "crawl-delay":
        if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value):
            group.delay_s = min(float(value), _LONGEST_DELAY_S)
    elif value:
        group.rules.append(Rule(name == "allow", _escaped(value if value[0] in "/*" else f"/{value}")))


def _escaped(path: str) -> str:
    """Bring percent-escapes to one form, so that /caf%C3%A9 and /café are the same path; %2F stays apart from /."""
    parts = re.split(r"(?i)(%2f)", path)
    return "".join(
        "%2F" if part.lower() == "%2f" else quote(unquote_to_bytes(part), safe="/*$?&=;:@+,!'()~-._") for part in parts
    )
