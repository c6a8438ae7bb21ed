"""Folders and files: what is listed, read, skipped and linked."""

import os
from pathlib import Path

import pytest

from indexer.sources import Item, Problem, Source, SourceOptions, open_source
from indexer.sources.links import LinkIndex
from retrieval.errors import Skipped, SourceError, UsageError
from retrieval.types import Document, Link

NO_OPTIONS = SourceOptions()


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def opened(path: Path, options: SourceOptions = NO_OPTIONS) -> Source:
    (source,) = open_source(str(path), options)
    return source


def items(source: Source) -> list[Item]:
    return [entry for entry in source.items() if isinstance(entry, Item)]


def problems(source: Source) -> list[Problem]:
    return [entry for entry in source.items() if isinstance(entry, Problem)]


def documents(source: Source) -> dict[str, Document]:
    parts = [part for item in items(source) for part in source.parse(item, source.read(item))]
    return {part.id: part for part in parts if isinstance(part, Document)}


def test_a_folder_mixes_formats_and_lists_them_sorted(tmp_path: Path) -> None:
    write(tmp_path, {"b.md": "x", "a.txt": "x", "sub/c.html": "x", "sub/d.rst": "x", "Z.MD": "x", "e.jsonl": "{}"})
    source = opened(tmp_path)
    assert source.root == str(tmp_path)
    assert [(item.key, item.format) for item in items(source)] == [
        ("Z.MD", "markdown"),
        ("a.txt", "text"),
        ("b.md", "markdown"),
        ("e.jsonl", "jsonl"),
        ("sub/c.html", "html"),
        ("sub/d.rst", "restructuredtext"),
    ]


def test_hidden_and_foreign_folders_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {".git/a.md": "x", "node_modules/b.md": "x", "env/pyvenv.cfg": "", "env/c.md": "x", ".d.md": "x"})
    assert list(opened(tmp_path).items()) == []


def test_files_that_no_parser_reads_are_told_once(tmp_path: Path) -> None:
    write(
        tmp_path, {"a.png": "x", "b.png": "x", "c.py": "x", "LICENSE": "x", "data.xml": "<data/>", "feed.xml": "<rss>"}
    )
    (problem,) = problems(opened(tmp_path))
    assert problem.skipped
    assert problem.reason == "5 files of kinds that are not read: .png 2, no extension 1, .py 1, .xml 1."
    assert [item.key for item in items(opened(tmp_path))] == ["feed.xml"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no text"),
        (b" \n", "no text"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 50, "PNG"),
        (b"text\x00\x01\x02\x00more" * 9, "NUL"),
    ],
)
def test_what_holds_no_text_is_skipped_with_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    source = opened(write(tmp_path, {"a.md": content}))
    with pytest.raises(Skipped, match=reason):
        source.read(items(source)[0])


def test_a_large_file_is_skipped_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "big.md").open("wb") as file:
        file.truncate(60_000_000)  # sparse
    source = opened(tmp_path)
    with pytest.raises(Skipped, match=r"60,000,000 bytes.*20,000,000.*TANDEM_MAX_FILE_BYTES"):
        source.read(items(source)[0])


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"secret.md": "secret", "root/real.md": "x", "root/.hidden/h.md": "x"})
    root = tmp_path / "root"
    (root / "out.md").symlink_to(tmp_path / "secret.md")
    (root / "hidden.md").symlink_to(root / ".hidden" / "h.md")
    (root / "in.md").symlink_to("real.md")
    (root / "circle.md").symlink_to("circle.md")
    (root / "folder").symlink_to(tmp_path)
    source = opened(root)
    assert [item.key for item in items(source)] == ["in.md", "real.md"]
    assert {problem.key for problem in problems(source)} >= {"circle.md", "hidden.md", "out.md"}
    with pytest.raises(Skipped, match="leads out"):  # also where it was turned into a link after the listing
        source.read(Item("out.md", str(root / "out.md"), "markdown"))


def test_a_pipe_named_like_a_document_does_not_stop_the_listing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    source = opened(tmp_path)
    assert [(problem.key, problem.skipped) for problem in problems(source)] == [("pipe.md", True)]
    with pytest.raises(Skipped, match="regular"):
        source.read(Item("pipe.md", str(tmp_path / "pipe.md"), "markdown"))


def test_a_name_that_is_not_utf8_is_a_failure_that_can_be_printed(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/bad\xff.md"
    try:
        Path(os.fsdecode(name)).write_text("x")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (problem,) = problems(opened(tmp_path))
    assert (problem.key, problem.skipped) == ("bad?.md", False)


def test_a_file_is_the_same_document_alone_and_within_its_folder(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "# A\n\nSee [b](b.md).", "b.md": "# B\n\ntext"})
    alone, together = opened(tmp_path / "a.md"), opened(tmp_path)
    assert alone.root == together.root
    assert items(alone) == items(together)[:1]
    assert documents(alone)["a.md"] == documents(together)["a.md"]


def test_meta_and_id_prefix_are_applied_and_meta_wins(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "---\nteam: x\nn: 1\n---\nSee [b](b.md).", "b.md": "text"})
    found = documents(opened(tmp_path, SourceOptions(metadata={"team": "y"}, id_prefix="blog/")))
    assert set(found) == {"blog/a.md", "blog/b.md"}
    assert found["blog/a.md"].metadata == {"team": "y", "n": 1}
    assert [link.target for link in found["blog/a.md"].links] == ["blog/b.md"]


def test_format_reads_what_means_nothing_and_overrides_for_one_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.page": "# A\n\ntext", "b.txt": "# B\n\ntext"})
    assert [item.format for item in items(opened(tmp_path, SourceOptions(format="md")))] == ["markdown", "text"]
    assert items(opened(tmp_path / "b.txt", SourceOptions(format="md")))[0].format == "markdown"
    with pytest.raises(UsageError, match=r"\.page.*--format"):
        items(opened(tmp_path / "a.page"))
    with pytest.raises(UsageError, match="'docx'"):
        opened(tmp_path, SourceOptions(format="docx"))


@pytest.mark.parametrize("location", ["no/such/path", "ftp://e.org/x", "nul\x00", ""])
def test_what_is_no_source_is_named(location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if location == "":
        assert opened(Path()).root == str(tmp_path)
        return
    with pytest.raises(UsageError, match=location.replace("\x00", ".")[:3]):
        open_source(location, NO_OPTIONS)


def test_a_folder_that_is_gone_is_an_error_not_an_empty_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    source = opened(root)
    root.rmdir()
    with pytest.raises(SourceError, match="root"):
        list(source.items())


# Links

FILES = [
    "index.md",
    "guide/index.md",
    "guide/first-steps.md",
    "guide/README.md",
    "blog/2015-05-15-rust-release.md",
    "other/page.html",
    "twins/a/same-name.md",
    "twins/b/same-name.md",
]


def target(written: str, key: str = "guide/first-steps.md", base_url: str | None = "https://e.org/docs/") -> str | None:
    index = LinkIndex([Item(name, name, "text") for name in FILES], base_url=base_url)
    found = index.resolved([Link(written, "anchor", "sentence")], key)
    return found[0].target if found else None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("../other/page.html", "other/page.html"),
        ("../other/page.html?x=1#part", "other/page.html#part"),
        ("../other/page", "other/page.html"),
        ("../other/page/", "other/page.html"),
        ("../../other/page/", "other/page.html"),
        ("../", "index.md"),
        ("./index.md", "guide/index.md"),
        ("/guide/", "guide/index.md"),
        ("/docs/other/page/", "other/page.html"),
        ("@/blog/2015-05-15-rust-release.md", "blog/2015-05-15-rust-release.md"),
        ("2015-05-15-rust-release", "blog/2015-05-15-rust-release.md"),
        ("/2015/05/15/rust-release.html", "blog/2015-05-15-rust-release.md"),
        ("https://www.e.org/docs/guide/", "guide/index.md"),
        ("https://e.org/docs/nowhere/", "https://e.org/docs/nowhere/"),
        ("https://e.org/docs/style.css", None),
        ("https://elsewhere.org/docs/guide/", None),
        ("//e.org/docs/guide/", "guide/index.md"),
        ("/gone/same-name/", None),
        ("nowhere.md", None),
        ("first-steps.md", None),
        ("#part", None),
        ("mailto:a@e.org", None),
        ("javascript:alert(1)", None),
        ("../../../../etc/passwd", None),
        ("https://[broken", None),
        ("", None),
    ],
)
def test_a_link_leads_to_the_id_of_the_document_or_nowhere(written: str, expected: str | None) -> None:
    assert target(written) == expected


def test_a_permalink_leads_to_its_file_from_anywhere(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.md": "See [b](https://blog.e.org/2020/01/02/the-post.html) and [c](/old/).",
            "b.md": '+++\npath = "2020/01/02/the-post"\n+++\ntext',
            "c.md": "---\naliases: [/old/]\n---\ntext",
        },
    )
    assert [link.target for link in documents(opened(tmp_path))["a.md"].links] == ["b.md", "c.md"]


def test_links_found_independently_in_real_posts_are_found_here(shared_data: Path) -> None:
    source = opened(shared_data / "rust-blog" / "content")
    chosen = {item.key: item for item in items(source)}
    wanted = {
        ("Rust-1.88.0.md", "cargo-cache-cleaning.md"),
        ("Rust-1.53.0.md", "Rust-1.52.1.md"),
        ("1.0-Timeline.md", "Rust-1.0@0.md"),
        ("inside-rust/dns-outage-portmortem.md", "inside-rust/content-delivery-networks.md"),
    }
    found = set()
    for key in {key for key, _ in wanted}:
        for part in source.parse(chosen[key], source.read(chosen[key])):
            assert isinstance(part, Document)
            found |= {(key, link.target.partition("#")[0]) for link in part.links}
    assert wanted <= found
