"""The fields at the top of a Markdown file: read, sorted, and never the end of the file."""

import pytest

from indexer.sources.dates import date_in_path, iso_date
from indexer.sources.front_matter import split_front_matter
from tests.test_sources_markdown import document


def test_known_fields_are_read_and_the_rest_is_metadata() -> None:
    found = document(
        "---\ntitle: 'T: x'\ndate: 15 May 2015\nlast_modified_at: 2016-01-02\ntags: [a, b]\nkeywords: b, c\n"
        "author: Me\nweight: 3\nnested: {when: 2020-01-01}\n---\nx"
    )
    assert (found.title, found.created, found.updated) == ("T: x", "2015-05-15", "2016-01-02")
    assert found.tags == ("a", "b", "c")
    assert found.metadata == {"author": "Me", "weight": 3, "nested": {"when": "2020-01-01"}}


def test_toml_front_matter_of_zola_is_read() -> None:
    found = document('+++\ntitle = "T"\ndate = 2020-01-02\n[taxonomies]\ntags = ["x"]\n[extra]\na = 1\n+++\nx')
    assert (found.title, found.created, found.tags) == ("T", "2020-01-02", ("x",))
    assert found.metadata == {"extra": {"a": 1}}


def test_json_front_matter_is_read() -> None:
    assert document('{\n "title": "T", "n": 1\n}\n\nx').metadata == {"n": 1}


def test_broken_front_matter_keeps_what_can_be_read_and_the_body() -> None:
    found = document("---\ntitle: a: b\nlist: [x\ntags: [p, q]\n---\nbody")
    assert (found.title, found.tags) == ("a: b", ("p", "q"))
    assert [block.text for block in found.blocks] == ["body"]
    assert "mapping values" in found.metadata["front_matter_error"]


def test_unterminated_front_matter_ends_where_its_lines_do() -> None:
    found = document("---\ntitle: T\nbody: x\n\nReal *body*")
    assert found.title == "T"
    assert [block.text for block in found.blocks] == ["Real body"]


def test_prose_between_two_rules_is_no_front_matter() -> None:
    assert split_front_matter("---\nSome prose.\n---\nmore").fields == {}


@pytest.mark.parametrize("written", ["1.10", "No", "2024-01-01", "1984"])
def test_a_title_that_yaml_takes_for_another_value_stays_as_written(written: str) -> None:
    assert document(f"---\ntitle: {written}\n---\nx").title == written


def test_an_alias_bomb_and_deep_nesting_are_refused_in_no_time() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(12))
    assert "aliases" in split_front_matter(f"---\n{bomb}---\nbody").error
    assert split_front_matter("---\na: " + "[" * 30_000 + "\n---\nbody").error
    assert "longer" in split_front_matter("---\n" + "a: b\n" * 40_000 + "---\nbody").error


def test_yaml_that_would_build_python_objects_is_refused() -> None:
    found = split_front_matter("---\na: !!python/object/apply:os.system ['true']\n---\nbody")
    assert found.body.strip() == "body"
    assert found.error


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2015-05-15", "2015-05-15"),
        ("2015-05-15 10:00:00 +0200", "2015-05-15T10:00:00+02:00"),
        ("May 15, 2015", "2015-05-15"),
        ("Fri, 15 May 2015 10:00:00 GMT", "2015-05-15T10:00:00+00:00"),
        ("2015", "2015-01-01"),
        (1431648000, "2015-05-15T00:00:00+00:00"),
        ("2023-02-30", None),
        ("March", None),
        ("tomorrow", None),
        (True, None),
        (None, None),
    ],
)
def test_dates_in_many_forms_become_iso(written: object, iso: str | None) -> None:
    assert iso_date(written) == iso


def test_a_date_in_the_path_is_the_last_resort() -> None:
    assert date_in_path("_posts/2015-05-15-title.md") == "2015-05-15"
    assert document("x", "2015-05-15-title.md").created == "2015-05-15"
    assert document("---\ndate: 2020-01-01\n---\nx", "2015-05-15-title.md").created == "2020-01-01"


@pytest.mark.parametrize(
    ("front", "base_url", "url"),
    [
        ("url: https://e.org/x", None, "https://e.org/x"),
        ("url: 'javascript:alert(1)'", None, None),
        ("permalink: /p/q/", "https://e.org/blog", "https://e.org/blog/p/q/"),
        ("slug: q", "https://e.org", "https://e.org/dir/q"),
        ("a: b", "https://e.org", "https://e.org/dir/my%20page.md"),
        ("a: b", "https://e.org/{stem}/", "https://e.org/dir/my%20page/"),
        ("a: b", None, None),
    ],
)
def test_the_url_is_the_front_matters_or_base_url_plus_path(front: str, base_url: str | None, url: str | None) -> None:
    assert document(f"---\n{front}\n---\nx", "dir/my page.md", base_url).url == url
