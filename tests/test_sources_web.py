"""The web source: one site, politely, and never an address that is not public."""

import contextlib
import gzip
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.robotparser import RobotFileParser

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.sources import connection
from indexer.sources.addresses import canonical_url, is_public, site_of
from indexer.sources.base import Item, Problem, SourceOptions
from indexer.sources.fetch import Fetcher, user_agent
from indexer.sources.robots import robots_of
from indexer.sources.site import Site
from indexer.sources.sitemap import sitemap_of
from indexer.sources.web import WebSource, kind_of
from retrieval.errors import ParseError, Skipped, SourceError, UsageError
from retrieval.types import Document

Answer = tuple[int, Mapping[str, str], bytes]
PRIVATE = SourceOptions(allow_private=True)


@dataclass
class Web:
    """A server on loopback: what it answers by path, and what it was asked."""

    url: str = ""
    answers: dict[str, Answer | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    def page(self, path: str, body: str, media_type: str = "text/html; charset=utf-8") -> str:
        self.answers[path] = (200, {"Content-Type": media_type}, body.encode())
        return self.url + path

    def redirect(self, path: str, target: str) -> str:
        self.answers[path] = (302, {"Location": target}, b"")
        return self.url + path

    def sitemap(self, path: str, pages: list[str]) -> str:
        body = "".join(f"<url><loc>{page}</loc></url>" for page in pages)
        return self.page(
            path, f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{body}</urlset>', "text/xml"
        )

    def source(self, path: str, options: SourceOptions = PRIVATE, *, max_pages: int = 5000) -> WebSource:
        return WebSource(self.url + path, options, delay_s=0, max_pages=max_pages)


@pytest.fixture
def web() -> Iterator[Web]:
    served = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            served.agents.add(self.headers.get("User-Agent", ""))
            answer = served.answers.get(self.path, (404, {}, b"nothing here"))
            if callable(answer):
                answer(self)
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def split(source: WebSource) -> tuple[list[Item], list[Problem]]:
    found = list(source.items())
    return [f for f in found if isinstance(f, Item)], [f for f in found if isinstance(f, Problem)]


def documents(source: WebSource) -> list[Document]:
    parts = [part for item in split(source)[0] for part in source.parse(item, source.read(item))]
    return [part for part in parts if isinstance(part, Document)]


PAGE = "<!doctype html><html><head><title>{0}</title></head><body><main><h1>{0}</h1><p>{1}</p></main></body></html>"
LONG = "Water boils in a kettle when it has been heated for long enough, and then it whistles."


# --- what a URL leads to ---


def test_a_page_is_one_document_named_by_its_url_without_the_fragment(web: Web) -> None:
    web.page("/a", PAGE.format("Kettles", LONG))
    (document,) = documents(web.source("/a#top"))
    assert (document.id, document.url, document.title) == (f"{web.url}/a", f"{web.url}/a", "Kettles")
    assert "Water boils" in document.text
    assert web.asked == ["/robots.txt", "/a"]
    assert web.agents == {user_agent()}
    assert user_agent().startswith("tandem-search/")


def test_a_sitemap_leads_to_each_of_its_pages_once(web: Web) -> None:
    for name in ("a", "b"):
        web.page(f"/{name}", PAGE.format(name, LONG))
    web.sitemap(
        "/sitemap.xml", [f"{web.url}/b", f"{web.url}/a#x", f"{web.url}/a", "https://elsewhere.example/", "mailto:x"]
    )
    source = web.source("/sitemap.xml")
    items, problems = split(source)
    assert [item.key for item in items] == [f"{web.url}/b", f"{web.url}/a"]
    assert [(problem.key, problem.skipped) for problem in problems] == [
        ("mailto:x", False),
        (f"{web.url}/sitemap.xml", True),
    ]
    assert "1 pages of other sites" in problems[1].reason
    assert web.asked.count("/sitemap.xml") == 1
    assert source.root == f"{web.url}/sitemap.xml"
    assert [document.title for document in documents(web.source("/sitemap.xml"))] == ["b", "a"]


def test_a_sitemap_index_is_followed_and_may_be_compressed(web: Web) -> None:
    inner = f"<urlset><url><loc>{web.url}/deep</loc></url></urlset>"
    web.answers["/one.xml.gz"] = (200, {"Content-Type": "application/gzip"}, gzip.compress(inner.encode()))
    nested = "".join(
        f"<sitemap><loc>{web.url}/{name}</loc></sitemap>" for name in ("one.xml.gz", "gone.xml", "index.xml")
    )
    web.page("/index.xml", f"<sitemapindex>{nested}</sitemapindex>", "application/xml")
    items, problems = split(web.source("/index.xml"))
    assert [item.key for item in items] == [f"{web.url}/deep"]
    assert [problem.key for problem in problems] == [f"{web.url}/gone.xml"]
    assert "404" in problems[0].reason


def test_sitemaps_nest_only_so_deep_and_list_only_so_many_pages(web: Web) -> None:
    for level in range(6):
        below = f"<sitemap><loc>{web.url}/{level + 1}.xml</loc></sitemap>"
        web.page(f"/{level}.xml", f"<sitemapindex>{below}</sitemapindex>", "text/xml")
    _, (problem,) = split(web.source("/0.xml"))
    assert problem.key == f"{web.url}/3.xml"
    assert problem.skipped
    web.sitemap("/many.xml", [f"{web.url}/{n}" for n in range(5)])
    items, (problem,) = split(web.source("/many.xml", max_pages=3))
    assert len(items) == 3
    assert "more than 3 pages" in problem.reason


def test_a_robots_txt_leads_to_the_sitemaps_it_names(web: Web) -> None:
    web.sitemap("/s.xml", [f"{web.url}/a"])
    web.page("/robots.txt", f"Sitemap: {web.url}/s.xml\n", "text/plain")
    assert [item.key for item in split(web.source("/robots.txt"))[0]] == [f"{web.url}/a"]


def test_a_feed_is_its_entries(web: Web) -> None:
    entry = (
        "<guid isPermaLink='false'>g-1</guid><title>One</title><link>/one</link><description>Short text.</description>"
    )
    web.page(
        "/feed",
        f"<rss version='2.0'><channel><title>F</title><item>{entry}</item></channel></rss>",
        "application/rss+xml",
    )
    (document,) = documents(web.source("/feed"))
    assert (document.id, document.url, document.text) == ("g-1", f"{web.url}/one", "Short text.")


def test_plain_text_markdown_and_the_charset_of_the_header_are_read(web: Web) -> None:
    web.page("/notes.md", "# Notes\n\nSome text.", "text/markdown")
    web.answers["/old.txt"] = (
        200,
        {"Content-Type": "text/plain; charset=iso-8859-5"},
        "Чайник кипит.".encode("iso-8859-5"),
    )
    web.answers["/old.html"] = (
        200,
        {"Content-Type": "text/html; charset=windows-1251"},
        PAGE.format("Чайник", "Чайник кипит, когда вода достаточно горячая для хорошего чая.").encode("cp1251"),
    )
    assert documents(web.source("/notes.md"))[0].title == "Notes"
    assert documents(web.source("/old.txt"))[0].text == "Чайник кипит."
    assert documents(web.source("/old.html"))[0].title == "Чайник"


def test_what_holds_no_text_is_skipped_with_its_type(web: Web) -> None:
    web.page("/a.png", "x", "image/png")
    web.page("/empty", " ")
    for path, reason in (("/a.png", "image/png"), ("/empty", "empty")):
        source = web.source(path)
        (item,) = split(source)[0]
        with pytest.raises(Skipped, match=reason):
            source.read(item)


@pytest.mark.parametrize(
    ("data", "url", "kind"),
    [
        (b"%PDF-1.4", "https://a/x.html", "pdf"),
        (b"\xef\xbb\xbf <!DOCTYPE HTML><title>x <rss>", "https://a/x", "html"),
        (b"<?xml version='1.0'?><feed xmlns='x'>", "https://a/x.html", "feed"),
        (b"# x", "https://a/x.md?y=1", "markdown"),
        (b"x", "https://a/x.rst", "restructuredtext"),
        (b"<p>x", "https://a/x", "html"),
        (b"x < y", "https://a/x", "text"),
    ],
)
def test_the_format_of_a_page_shows_in_its_bytes(data: bytes, url: str, kind: str) -> None:
    assert kind_of(data, url) == kind


# --- politeness ---


def test_robots_txt_is_obeyed_for_pages_and_for_redirects(web: Web) -> None:
    web.page("/robots.txt", "User-agent: *\nDisallow: /private\n", "text/plain")
    web.page("/private/a", "x")
    web.redirect("/open", "/private/a")
    for path in ("/private/a", "/open"):
        with pytest.raises(Skipped, match="excluded by"):
            list(web.source(path).items())
    assert "/private/a" not in web.asked


def test_while_robots_txt_answers_with_an_error_of_the_server_nothing_is_fetched(web: Web) -> None:
    web.answers["/robots.txt"] = (503, {}, b"")
    web.page("/a", "x")
    source = web.source("/a")
    for _ in range(2):
        with pytest.raises(SourceError, match="503"):
            list(source.items())
    assert web.asked == ["/robots.txt"]


def test_requests_are_spaced_by_the_longer_of_our_delay_and_theirs(web: Web) -> None:
    web.page("/robots.txt", "User-agent: tandem-search\nCrawl-delay: 7\n", "text/plain")
    web.page("/a", "x")
    slept: list[float] = []
    site = Site(web.url, Fetcher(allow_private=True), delay_s=5, sleep=slept.append)
    for _ in range(3):
        site.get(f"{web.url}/a")
    gaps = [later - earlier for earlier, later in zip([0, *slept], slept, strict=False)]
    assert [round(gap) for gap in gaps] == [5, 7, 7]


def test_nothing_outside_the_site_is_fetched(web: Web) -> None:
    web.redirect("/a", "https://elsewhere.example/b")
    with pytest.raises(SourceError, match=r"elsewhere\.example/b is outside"):
        list(web.source("/a").items())
    assert site_of("https://www.a.example/x") == site_of("http://a.example/")
    assert site_of("https://a.example/") != site_of("https://b.a.example/")
    assert site_of("https://a.example/") != site_of("https://a.example:8443/")


ROBOTS = """
User-agent: other
Disallow: /

User-agent: *
Disallow: /*.pdf$
Disallow: /a
Allow: /a/public # yes
Allow: /
Disallow: /caf%C3%A9
Disallow: /q?x=
Crawl-delay: 2.5
Sitemap: https://a.example/s.xml
"""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", True),
        ("/a/b", False),
        ("/a/public/x", True),
        ("/x/y.pdf", False),
        ("/x/y.pdf?z", True),
        ("/café", False),
        ("/q?x=1", False),
        ("/q?y=1", True),
        ("/robots.txt", True),
    ],
)
def test_the_longest_rule_of_robots_txt_wins_and_wildcards_work(path: str, allowed: bool) -> None:
    robots = robots_of(ROBOTS, "tandem-search")
    assert robots.allows(f"https://a.example{path}") is allowed
    assert robots.delay_s == 2.5
    assert robots.sitemaps == ("https://a.example/s.xml",)


def test_a_group_with_our_name_replaces_the_group_for_all() -> None:
    text = "User-agent: *\nDisallow: /\n\nUser-agent: x\nUser-Agent: Tandem-Search/9\nDisallow: /b\n"
    assert robots_of(text, "tandem-search").allows("https://a.example/a")
    assert not robots_of(text, "tandem-search").allows("https://a.example/b")


@given(st.text(alphabet="ab.", min_size=1, max_size=3), st.text(alphabet="ab.", max_size=4))
def test_one_plain_rule_means_what_the_standard_librarys_parser_says(rule: str, path: str) -> None:
    text = f"User-agent: *\nDisallow: /{rule}\n"
    reference = RobotFileParser()
    reference.parse(text.splitlines())
    url = f"https://a.example/{path}"
    assert robots_of(text, "tandem-search").allows(url) is reference.can_fetch("tandem-search", url)


@given(st.text())
def test_any_robots_txt_can_be_read(text: str) -> None:
    assert robots_of(text, "tandem-search").delay_s >= 0
    assert robots_of(f"User-agent: *\nDisallow: {text}", "tandem-search").allows("https://a.example/robots.txt")


# --- limits ---


def test_a_page_over_the_limit_is_skipped_while_it_streams(web: Web) -> None:
    sent: list[int] = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while len(sent) < 10_000:
                sent.append(handler.wfile.write(b"x" * 10_000))

    web.answers["/endless"] = endless
    with pytest.raises(Skipped, match="larger than 50,000 bytes"):
        list(web.source("/endless", SourceOptions(allow_private=True, max_file_bytes=50_000)).items())
    assert len(sent) < 10_000


def test_a_compressed_page_is_measured_by_what_it_becomes(web: Web) -> None:
    for path, size in (("/small", 1000), ("/bomb", 50_000_000)):
        body = gzip.compress(b"x" * size)
        web.answers[path] = (200, {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, body)
    fetcher = Fetcher(allow_private=True, max_bytes=100_000)
    assert fetcher.get(f"{web.url}/small").data == b"x" * 1000
    with pytest.raises(Skipped, match="larger than"):
        fetcher.get(f"{web.url}/bomb")


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("gzip", b"no gzip", "broken gzip"),
        ("gzip", gzip.compress(b"x", mtime=0)[:-9], "too early"),
        ("br", b"x", "'br'"),
    ],
)
def test_a_broken_or_unasked_encoding_is_an_error(web: Web, encoding: str, body: bytes, reason: str) -> None:
    web.answers["/a"] = (200, {"Content-Encoding": encoding}, body)
    with pytest.raises(SourceError, match=reason):
        Fetcher(allow_private=True).get(f"{web.url}/a")


def test_a_server_that_drips_is_given_up(web: Web) -> None:
    done = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not done.wait(0.05):
            handler.wfile.write(b".")

    web.answers["/drip"] = drip
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"timed out|within 0\.4 s"):
        Fetcher(allow_private=True, timeout_s=0.4).get(f"{web.url}/drip")
    done.set()
    assert time.monotonic() - began < 5


def test_redirects_end_after_five(web: Web) -> None:
    for n in range(7):
        web.redirect(f"/{n}", f"/{n + 1}")
    web.page("/7", "x")
    fetcher = Fetcher(allow_private=True)
    with pytest.raises(SourceError, match="more than 5"):
        fetcher.get(f"{web.url}/0")
    assert fetcher.get(f"{web.url}/2").url == f"{web.url}/7"


def test_a_sitemap_with_entities_is_refused() -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>'
    with pytest.raises(ParseError, match="entities"):
        sitemap_of(laughs.encode(), "s.xml")


@given(st.binary())
def test_any_bytes_are_a_sitemap_or_a_parse_error(data: bytes) -> None:
    for document in (data, b"<urlset>" + data, b"<?xml version='1.0'?><urlset><url><loc>" + data):
        with contextlib.suppress(ParseError):
            assert sitemap_of(document, "s.xml").sitemaps == ()


# --- addresses ---


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:1::1",
        "2001:db8::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "nonsense",
        "",
    ],
)
def test_addresses_that_are_not_public_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses_are_let_through(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:7f00:1]", "0"]
)
def test_every_spelling_of_loopback_is_refused(web: Web, host: str) -> None:
    port = web.url.rpartition(":")[2]
    with pytest.raises(SourceError, match=r"not a public address|has no address|not a URL"):
        Fetcher().get(f"http://{host}:{port}/")
    assert web.asked == []


def test_a_name_that_leads_to_loopback_is_refused_even_beside_a_public_address(web: Web) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "127.0.0.1"]

    with pytest.raises(SourceError, match=r"'rebind\.example' leads to 127\.0\.0\.1, which is not a public address"):
        Fetcher(resolve=resolve).get("http://rebind.example/")
    assert web.asked == []


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer of a rebinding name is never asked for: the socket gets the checked address itself."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    asked, connected = [], []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    def connect(address: tuple[str, int], *_: object, **__: object) -> None:
        connected.append(address[0])
        raise OSError("not in a test")

    monkeypatch.setattr("socket.create_connection", connect)
    with pytest.raises(SourceError, match="could not be fetched"):
        Fetcher(resolve=resolve).get("http://rebind.example/")
    assert asked == ["rebind.example"]
    assert connected == ["93.184.216.34"]


def test_every_hop_of_a_redirect_is_checked_anew(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.redirect("/", f"{web.url}/secret")
    web.page("/secret", "secret")
    port = web.url.rpartition(":")[2]
    verdicts = iter([True, False])
    monkeypatch.setattr(connection, "is_public", lambda address: next(verdicts))
    with pytest.raises(SourceError, match=r"leads to 127\.0\.0\.1"):
        Fetcher(resolve=lambda host, port: ["127.0.0.1"]).get(f"http://front.example:{port}/")
    assert web.asked == ["/"]


def test_the_certificate_is_checked_against_the_name_and_not_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str | None] = []

    class Inner(httpcore.NetworkStream):
        def start_tls(
            self, context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
        ) -> "Inner":
            names.append(server_hostname)
            assert context.verify_mode == ssl.CERT_REQUIRED
            assert context.check_hostname
            raise httpcore.ConnectError("not in a test")

        def close(self) -> None:
            pass

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_, **__: Inner())
    with pytest.raises(SourceError, match="not in a test"):
        Fetcher(resolve=lambda host, port: ["93.184.216.34"]).get("https://docs.example/")
    assert names == ["docs.example"]


def test_no_proxy_is_taken_from_the_environment(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    web.page("/a", "x")
    assert Fetcher(allow_private=True).get(f"{web.url}/a").data == b"x"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a.example/",
        "http://user:pw@a.example/",
        "http://",
        "http://a b/",
        "gopher:x",
        "//a",
        "http://a:99999/",
    ],
)
def test_only_plain_http_urls_without_credentials_are_taken(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        WebSource(url, SourceOptions())
    assert "pw" not in str(raised.value)


def test_an_unknown_format_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(UsageError, match="'docx'"):
        WebSource("https://a.example/", SourceOptions(format="docx"))


def test_urls_are_written_in_one_way() -> None:
    assert canonical_url(" HTTPS://Bücher.example:443/a%20b?q=ü#x ") == "https://xn--bcher-kva.example/a%20b?q=%C3%BC"
    assert canonical_url("http://a.example") == "http://a.example/"


@given(st.text())
def test_any_text_is_a_url_or_a_source_error(text: str) -> None:
    for url in (text, f"http://{text}", f"https://a.example/{text}"):
        with contextlib.suppress(SourceError):
            assert canonical_url(canonical_url(url)) == canonical_url(url)


def test_a_refused_connection_says_what_failed(web: Web) -> None:
    with pytest.raises(SourceError, match=r"http://127\.0\.0\.1:9/ could not be fetched"):
        Fetcher(allow_private=True, timeout_s=5).get("http://127.0.0.1:9/")
