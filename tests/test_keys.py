"""Keys: what is kept of them, what they allow, and when they are of no use."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from retrieval.catalog import Catalog
from retrieval.catalog.keys import Keys, Scope
from retrieval.errors import NotFound, UsageError


@pytest.fixture
def keys(catalog: Catalog) -> Keys:
    return catalog.keys


def test_a_key_is_known_by_what_its_holder_sends_and_by_nothing_else(keys: Keys) -> None:
    key, sent = keys.create("reader", [Scope.READ])
    other, _ = keys.create("other", [Scope.READ])
    assert keys.held(sent) == key
    for wrong in ("", "tandem", key.id, sent[:-1], sent + "x", sent.replace(key.id, other.id), f"tandem_{key.id}_"):
        assert keys.held(wrong) is None, wrong
    assert keys.held("\ud800") is None


def test_what_is_sent_is_not_kept(catalog: Catalog) -> None:
    _, sent = catalog.keys.create("reader", [Scope.READ])
    with catalog.database.read() as connection:
        rows = connection.execute(text("SELECT * FROM api_keys")).all()
    assert sent not in repr(rows)
    secret = sent.split("_", maxsplit=2)[2]  # which may itself hold underscores
    assert len(secret) > 30
    assert secret not in repr(rows)


def test_a_scope_allows_what_is_below_it(keys: Keys) -> None:
    allowed = {scope: [wanted.value for wanted in Scope if scope.allows(wanted)] for scope in Scope}
    assert allowed == {
        Scope.READ: ["read"],
        Scope.WRITE: ["read", "write"],
        Scope.ADMIN: ["read", "write", "admin"],
    }


def test_a_key_that_is_revoked_or_expired_is_of_no_use(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    key, sent = keys.create("reader", [Scope.READ])
    assert keys.revoke(key.id).is_over
    assert keys.held(sent) is None
    first = keys.get(key.id).revoked_at
    assert keys.revoke(key.id).revoked_at == first
    soon, sent = keys.create("soon", [Scope.READ], expires_at=datetime.now(UTC) + timedelta(minutes=1))
    assert keys.held(sent) == soon
    monkeypatch.setattr("retrieval.catalog.keys.now", lambda: "9999-01-01T00:00:00+00:00")
    assert keys.held(sent) is None


def test_what_makes_no_key_is_refused(keys: Keys) -> None:
    with pytest.raises(UsageError, match="needs a name"):
        keys.create(" ", [Scope.READ])
    with pytest.raises(UsageError, match="at least one scope"):
        keys.create("x", [])
    with pytest.raises(UsageError, match="of no use"):
        keys.create("x", [Scope.READ], expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(NotFound, match="no key 'x'"):
        keys.revoke("x")
    assert keys.list() == []
