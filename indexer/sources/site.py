"""One site, visited politely: robots.txt obeyed, a pause between requests, and nothing outside the site."""

import time
from collections.abc import Callable

from indexer.sources.addresses import canonical_url, origin_of, site_of
from indexer.sources.fetch import Fetcher, Response, user_agent
from indexer.sources.robots import LIMIT_BYTES, Robots, robots_of
from retrieval.errors import Skipped, SourceError


class Site:
    """The pages of one host (with or without www.), fetched one at a time.

    A redirect that leaves the site, or leads to a page that robots.txt excludes, is not followed.
    """

    def __init__(
        self, url: str, fetcher: Fetcher, *, delay_s: float = 1.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Take any URL of the site; `delay_s` is the least pause between requests, which Crawl-delay may lengthen."""
        self._name = site_of(url)
        self._fetcher = fetcher
        self._delay_s = delay_s
        self._sleep = sleep
        self._next_at = 0.0
        self._robots: dict[str, Robots | SourceError] = {}
        self._peeked: tuple[str, Response] | None = None

    def holds(self, url: str) -> bool:
        """Say whether a canonical URL is one of this site's."""
        return site_of(url) == self._name

    def get(self, url: str) -> Response:
        """Fetch a page of the site, unless `peek` just did.

        Raises Skipped where robots.txt excludes it, and SourceError unless it answers with status 200.
        """
        peeked, self._peeked = self._peeked, None
        if peeked and peeked[0] == url:
            return peeked[1]
        response = self._fetcher.get(url, permit=self._permit)
        if response.status != 200:
            raise SourceError(f"{url} answered with status {response.status}; open it in a browser to see why.")
        return response

    def peek(self, url: str) -> Response:
        """Fetch a page and keep it, so that the next `get` of the same URL asks nobody."""
        response = self.get(url)
        self._peeked = (url, response)
        return response

    def robots(self, url: str) -> Robots:
        """Return what the robots.txt of the URL's host asks of this client; it is asked for once, also in vain."""
        origin = origin_of(url)
        if origin not in self._robots:
            try:
                self._robots[origin] = self._fetched_robots(origin)
            except SourceError as error:
                self._robots[origin] = error
        found = self._robots[origin]
        if isinstance(found, SourceError):
            raise SourceError(str(found))
        return found

    def _permit(self, url: str) -> None:
        self._stay(url)
        robots = self.robots(url)
        if not robots.allows(url):
            raise Skipped(f"{url} is excluded by {origin_of(url)}/robots.txt.")
        self._wait(max(self._delay_s, robots.delay_s))

    def _stay(self, url: str) -> None:
        if not self.holds(url):
            raise SourceError(f"{url} is outside {self._name}, the site that was asked for; ingest it by its own URL.")

    def _wait(self, delay_s: float) -> None:
        now = time.monotonic()
        if now < self._next_at:
            self._sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + delay_s

    def _fetched_robots(self, origin: str) -> Robots:
        """Fetch robots.txt: a client error means there are no rules, a server error that nothing may be fetched."""

        def permit(url: str) -> None:
            self._stay(url)
            self._wait(self._delay_s)

        small = Fetcher(
            allow_private=self._fetcher.allow_private,
            max_bytes=LIMIT_BYTES,
            timeout_s=self._fetcher.timeout_s,
            resolve=self._fetcher.resolve,
        )
        response = small.get(canonical_url(f"{origin}/robots.txt"), permit=permit)
        if response.status == 200:
            return robots_of(response.data.decode("utf-8", "replace"), user_agent().partition("/")[0])
        if response.status >= 500 or response.status == 429:
            raise SourceError(
                f"{origin}/robots.txt answered with status {response.status}; while that lasts nothing is fetched."
            )
        return Robots()
