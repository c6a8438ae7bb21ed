"""Searching page by page, facets, suggestions, contexts and feedback over HTTP."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.catalog.keys import Scope
from retrieval.catalog.searches import FeedbackKind, Liked, Origin
from retrieval.home import Home
from retrieval.results import SearchResult
from retrieval.settings import Settings
from service.app import create_app
from service.auth import Access
from service.searching import MOVED
from service.serving import Serving

BASE = "http://127.0.0.1:8080"
KINDS = ("pet", "farm")
ANIMALS = ("dog", "cat", "horse", "goat", "duck", "fish", "bear", "bird", "frog", "goose", "hen", "sheep")
NIGHT = "The night is long. " * 60
DOCUMENTS: list[dict[str, Any]] = [
    {
        "id": f"animals/{name}",
        "title": f"The {name}",
        "text": f"# The {name}\n\nA young {name} eats.\n\n## Sleep\n\n{NIGHT}\n\nEvery {name} sleeps.",
        "metadata": {"kind": KINDS[place % 2], "weight": place * 10},
        "created": f"{2020 + place % 3}-05-01",
        "tags": ["animal"],
    }
    for place, name in enumerate(ANIMALS)
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Home]:
    home = Home.open(Settings(home=tmp_path_factory.mktemp("reading") / "home", model=str(tiny_model), threads=1))
    yield home
    home.close()


@pytest.fixture(scope="module")
def serving(home: Home) -> Iterator[Serving]:
    with Serving(home) as serving:
        yield serving


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[TestClient]:
    with TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        connected.post("/v1/documents", json={"documents": DOCUMENTS}).raise_for_status()
        yield connected


def post(client: TestClient, path: str, **body: Any) -> Any:
    return client.post(path, json=body)


def found(client: TestClient, **body: Any) -> Any:
    answer = post(client, "/v1/search", **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: Any) -> list[str]:
    return [hit["document"]["id"] for hit in answer["hits"]]


def test_pages_go_through_all_that_was_found_once_and_in_order(client: TestClient) -> None:
    asked = {"query": "young animal that sleeps", "k": 5}
    page, seen, ranks = found(client, **asked), [], []
    for _ in range(10):
        seen += ids(page)
        ranks += [hit["rank"] for hit in page["hits"]]
        assert page["notes"] == []
        if page["next"] is None:
            break
        page = found(client, **asked, cursor=page["next"])
    assert sorted(seen) == sorted(document["id"] for document in DOCUMENTS)
    assert ranks == list(range(1, len(DOCUMENTS) + 1))
    whole = found(client, query=asked["query"], k=50)
    assert (seen, whole["next"]) == (ids(whole), None)


def test_a_link_may_be_paged_and_chunks_too(client: TestClient) -> None:
    asked: dict[str, str | int] = {"q": "sleeps", "k": 3, "group": "false"}
    first = client.get("/v1/search", params=asked).json()
    second = client.get("/v1/search", params={**asked, "cursor": first["next"]}).json()
    chunks = [hit["passages"][0]["chunk_id"] for page in (first, second) for hit in page["hits"]]
    assert len(set(chunks)) == 6
    body = found(client, query="sleeps", k=3, group=False, cursor=first["next"])
    assert body["hits"] == second["hits"]


@pytest.mark.parametrize("changed", [{"query": "other"}, {"k": 4}, {"mode": "keyword"}, {"cursor": "AQAA"}])
def test_a_forged_or_foreign_cursor_is_refused(client: TestClient, changed: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"query": "young", "k": 3}
    cursor = found(client, **asked)["next"]
    refused = post(client, "/v1/search", **{**asked, "cursor": cursor, **changed})
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
    assert "begin again" in refused.json()["detail"]


def test_a_page_after_a_change_says_so(client: TestClient) -> None:
    asked: dict[str, Any] = {"query": "lion", "k": 1, "collection": "moving"}
    for name in ("lion", "tiger"):
        post(client, "/v1/documents", collection="moving", documents=[{"id": name, "text": f"A {name} sleeps."}])
    cursor = found(client, **asked)["next"]
    assert found(client, **asked, cursor=cursor)["notes"] == []
    post(client, "/v1/documents", collection="moving", documents=[{"id": "lion", "text": "It left."}])
    post(client, "/v1/documents", collection="moving", documents=[{"id": "new", "text": "A lion, the lion."}])
    assert found(client, **asked, cursor=cursor)["notes"] == [MOVED]


def test_an_explanation_adds_up_to_the_scores(client: TestClient) -> None:
    plain, body = found(client, query="young horse", k=3), found(client, query="young horse", k=3, explain=True)
    assert "explanation" not in plain
    told = body["explanation"]
    assert (told["fusion"], told["weights"]) == ("calibrated", {"keyword": 0.25, "embedding": 0.75})
    assert told["found"] == len(DOCUMENTS)
    for hit, item in zip(body["hits"], told["items"], strict=True):
        assert item["rank"] == hit["rank"]
        assert hit["score"] == pytest.approx(sum(told["weights"][leg] * z for leg, z in item["z"].items()))
    (best,) = found(client, query="young horse", k=1, mode="keyword", group=False, explain=True)["explanation"]["items"]
    hit = found(client, query="young horse", k=1, mode="keyword", group=False, explain=True)
    scale = hit["explanation"]["scales"]["keyword"]
    z = (hit["hits"][0]["legs"]["keyword"]["score"] - scale["mean"]) / scale["deviation"]
    assert best["z"]["keyword"] == pytest.approx(hit["hits"][0]["score"])
    assert z > 0


def test_an_identifier_that_leads_is_explained(client: TestClient) -> None:
    post(client, "/v1/documents", collection="code", documents=[{"id": "a", "text": "Call asyncio.to_thread."}])
    told = found(client, query="asyncio.to_thread", collection="code", explain=True)["explanation"]
    assert told["items"][0]["leads"] > 0


def test_texts_may_be_left_out(client: TestClient) -> None:
    body = found(client, query="horse", k=1, texts=False)
    (hit,) = body["hits"]
    assert {passage["text"] for passage in hit["passages"]} == {""}
    assert "<mark>horse</mark>" in hit["passages"][0]["highlights"]


@pytest.mark.parametrize(
    "where",
    [
        {"or": [{"field": "a", "equals": 1}] * 200},
        {"field": "a", "any_of": list(range(1_001))},
    ],
)
def test_filters_have_bounds(client: TestClient, where: dict[str, Any]) -> None:
    for path in ("/v1/search", "/v1/facets", "/v1/context"):
        refused = post(client, path, query="x", where=where, **({"fields": ["a"]} if "facets" in path else {}))
        assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")


def test_facets_over_a_collection_and_over_what_a_query_finds(client: TestClient) -> None:
    whole = post(client, "/v1/facets", fields=["kind", "weight", "created", "tags", "nothing"]).json()
    assert (whole["over"], whole["documents"]) == ("collection", 12)
    kind, weight, created, tags, nothing = whole["facets"]
    assert kind["values"] == [{"value": "farm", "count": 6}, {"value": "pet", "count": 6}]
    assert (weight["numbers"]["min"], weight["numbers"]["max"]) == (0, 110)
    assert sum(one["count"] for one in weight["numbers"]["ranges"]) == 12
    assert created["years"] == [{"year": year, "count": 4} for year in (2022, 2021, 2020)]
    assert created["values"] == []
    assert tags["values"] == [{"value": "animal", "count": 12}]
    assert (nothing["values"], nothing["numbers"], nothing["years"]) == ([], None, [])
    asked = {"query": "young", "fields": ["kind"], "where": {"field": "weight", "lt": 50}}
    over = post(client, "/v1/facets", **asked).json()
    assert (over["over"], over["documents"]) == ("found", 5)
    assert over["facets"][0]["values"] == [{"value": "pet", "count": 3}, {"value": "farm", "count": 2}]


def test_facets_by_a_link_honour_filters_and_limits(client: TestClient) -> None:
    asked: dict[str, Any] = {"field": ["kind", "weight"], "where": ["kind=pet", "weight>50"], "limit": 1}
    body = client.get("/v1/facets", params=asked).json()
    assert (body["over"], body["documents"]) == ("collection", None)
    kind, weight = body["facets"]
    assert (kind["values"], kind["others"]) == ([{"value": "pet", "count": 3}], 0)
    assert (len(weight["values"]), weight["others"]) == (1, 2)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("field=" + "&field=".join("abcdefghijk"), 422),
        ("field=kind&limit=101", 422),
        ("field=", 422),
        ("field=kind&where=%3D", 400),
        ("field=kind&collection=nowhere", 404),
        ("field=kind&q=x&collection=nowhere", 404),
        ("field=kind&fields=kind", 422),
    ],
)
def test_facets_that_cannot_be_counted_say_why(client: TestClient, query: str, status: int) -> None:
    answer = client.get(f"/v1/facets?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_suggestions_come_from_titles_words_and_what_is_new(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.suggesting.LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr("service.suggesting.REST", 0)
    assert client.get("/v1/suggest?prefix=the+h").json()["suggestions"][:1] == [
        {"text": "The hen", "kind": "title", "count": 1}
    ]
    texts = [one["text"] for one in client.get("/v1/suggest?prefix=hor").json()["suggestions"]]
    assert texts[:2] == ["horse", "The horse"]
    assert client.get("/v1/suggest?prefix=%00%ED").json()["suggestions"] == []
    assert client.get("/v1/suggest").status_code == 422
    assert client.get("/v1/suggest?prefix=x&collection=nowhere").status_code == 404
    post(client, "/v1/documents", documents=[{"id": "hornet", "text": "# <i>Hornets</i>\n\nA hornet."}])
    for _ in range(100):
        texts = [one["text"] for one in client.get("/v1/suggest?prefix=hornet").json()["suggestions"]]
        if "Hornets" in texts:  # read again beside those who ask
            break
        time.sleep(0.02)
    assert "Hornets" in texts
    post(client, "/v1/documents/delete", ids=["hornet"])


def test_a_context_is_cited_bounded_and_has_neighbours(client: TestClient, home: Home) -> None:
    body = post(client, "/v1/context", query="young horse", k=2, tokens=400).json()
    assert body["text"].startswith("[1] The horse")
    assert body["tokens"] <= 400
    encoder = home.encoder(home.catalog.collections.get("default"))
    assert body["tokens"] == encoder.count_tokens([body["text"]])[0]
    first = body["sources"][0]
    assert (first["number"], first["document"]["id"], first["rank"]) == (1, "animals/horse", 1)
    assert len(first["chunk_ids"]) == len(set(first["chunk_ids"]))
    assert body["query_id"]
    alone = post(client, "/v1/context", query="young horse", k=1, tokens=5_000, neighbours=0).json()
    whole = post(client, "/v1/context", query="young horse", k=1, tokens=5_000, neighbours=5).json()
    assert len(whole["sources"][0]["chunk_ids"]) >= len(alone["sources"][0]["chunk_ids"])
    assert post(client, "/v1/context", query="x", where={"field": "kind", "equals": "none"}).json()["text"] == ""
    assert post(client, "/v1/context", query="x", tokens=199).status_code == 422
    assert post(client, "/v1/context", query=" ").status_code == 400


def say(client: TestClient, **body: Any) -> tuple[int, Any]:
    answer = post(client, "/v1/feedback", **body)
    return answer.status_code, answer.json()


def test_feedback_is_kept_once_with_the_rank_that_was_shown(client: TestClient, home: Home) -> None:
    answer = found(client, query="a young frog", k=3)
    query_id, second = answer["query_id"], ids(answer)[1]
    click = {"query_id": query_id, "document": second, "kind": "click"}
    assert say(client, **click) == (200, {"recorded": True})  # though the log may not be written yet
    assert say(client, **click) == (200, {"recorded": False})
    assert say(client, query_id=query_id, document=second, kind="up", rank=7) == (200, {"recorded": True})
    assert say(client, query_id=query_id, document=second, kind="down") == (200, {"recorded": True})
    assert say(client, query_id=query_id, kind="up") == (200, {"recorded": True})
    collection = home.catalog.collections.get("default")
    mine = [liked for liked in home.catalog.searches.liked(collection) if liked.search == query_id]
    assert mine == [
        Liked(query_id, "a young frog", second, FeedbackKind.CLICK, 2),
        Liked(query_id, "a young frog", second, FeedbackKind.DOWN, 2),
    ]
    logged = home.catalog.searches.get(query_id)
    assert logged is not None
    assert (logged.text, logged.arm, logged.k, logged.hits, logged.first) == ("a young frog", "hybrid@tiny", 3, 3, 1)
    assert (list(logged.shown), logged.origin, logged.agreed) == (ids(answer), Origin.API, True)


def test_feedback_on_what_was_not_shown_or_not_asked_is_refused(client: TestClient) -> None:
    answer = found(client, query="young goat", k=2)
    query_id = answer["query_id"]
    assert say(client, query_id=query_id, document="no such thing", kind="click")[0] == 422
    assert say(client, query_id=query_id, kind="click")[0] == 422
    assert say(client, query_id=query_id, document=ids(answer)[0], kind="love")[0] == 422
    assert say(client, query_id="unknown", document="x", kind="up")[0] == 404
    text = client.post("/v1/feedback", content=b'{"query_id":"x","kind":"up"}', headers={"content-type": "text/plain"})
    assert text.status_code == 422  # what another site may send unasked


def test_a_later_page_has_an_id_of_its_own_and_ranks_that_go_on(client: TestClient, home: Home) -> None:
    first = found(client, query="young", k=2)
    second = found(client, query="young", k=2, cursor=first["next"])
    assert first["query_id"] != second["query_id"]
    assert say(client, query_id=second["query_id"], document=ids(first)[0], kind="click")[0] == 422
    assert say(client, query_id=second["query_id"], document=ids(second)[0], kind="click")[0] == 200
    logged = home.catalog.searches.get(second["query_id"])
    assert logged is not None
    assert (logged.rank_of(ids(second)[0]), logged.agreed) == (3, None)


def test_a_key_for_another_collection_neither_searches_nor_gives_feedback(
    client: TestClient, serving: Serving, home: Home
) -> None:
    query_id = found(client, query="young", k=1)["query_id"]
    assert say(client, query_id=query_id, kind="up")[0] == 200
    home.catalog.collections.ensure("other", home.catalog.collections.get("default").config)
    keys = home.catalog.keys
    other, whole = (keys.create("key", [Scope.READ], collection=name)[1] for name in ("other", ""))
    with TestClient(create_app(serving, access=Access(keys)), BASE) as locked:
        for path in ("/v1/facets?field=kind", "/v1/suggest?prefix=x"):
            assert locked.get(path).status_code == 401
        assert say(locked, query_id=query_id, kind="up")[0] == 401
        locked.headers["Authorization"] = f"Bearer {other}"
        for path in ("/v1/facets?field=kind", "/v1/suggest?prefix=x", "/v1/search?q=x"):
            assert locked.get(path).status_code == 403
        assert post(locked, "/v1/facets", fields=["kind"], query="x").status_code == 403
        assert post(locked, "/v1/context", query="x").status_code == 403
        assert say(locked, query_id=query_id, kind="up")[0] == 404
        assert locked.get("/v1/facets?field=kind&collection=other").status_code == 200
        locked.headers["Authorization"] = f"Bearer {whole}"
        assert say(locked, query_id=query_id, kind="up") == (200, {"recorded": False})


def test_where_searches_are_not_logged_there_is_no_id_and_no_feedback(
    serving: Serving, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "home", Home(replace(home.settings, search_log=False), home.catalog))
    with TestClient(create_app(serving), BASE) as client:
        answer = found(client, query="young", k=1)
        assert answer["query_id"] is None
        assert say(client, query_id="anything", kind="up")[0] == 404


def test_a_command_beside_the_service_tells_what_the_service_tells(client: TestClient, home: Home) -> None:
    body = found(client, query="young", k=2, explain=True)
    assert SearchResult.from_json(body).to_json() == body
