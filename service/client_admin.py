"""What a client asks of a service's collections and models, and how it asks."""

import uuid
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from retrieval.types import JsonValue
from service.client_values import ListedCollection, ListedModel, Switch
from service.transport import Asked, Transport

T = TypeVar("T")


class Administration:
    """Lists, makes and deletes collections; lists models, and changes which one searches."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def collections(self) -> list[ListedCollection]:
        """Return the collections that the key may see."""
        return self._read(
            Asked("GET", "/v1/collections"), lambda body: [ListedCollection.of(each) for each in body["collections"]]
        )

    def create_collection(self, name: str, *, key: str | None = None, **settings: JsonValue) -> ListedCollection:
        """Make an empty collection; raises UsageError for a bad name or setting, Conflict for a name that is taken.

        `settings` are language, chunk_tokens, k1, b, fusion and embedding_weight.
        """
        asked = Asked("POST", "/v1/collections", body={"name": name, **settings}, headers=writing(key))
        return self._read(asked, ListedCollection.of)

    def delete_collection(self, name: str, *, key: str | None = None) -> None:
        """Delete a collection for good, with its documents and its index; raises NotFound."""
        self._transport.answer(Asked("DELETE", f"/v1/collections/{quote(name, safe='')}", headers=writing(key)))

    def models(self) -> list[ListedModel]:
        """Return the models of the service."""
        return self._read(Asked("GET", "/v1/models"), lambda body: [ListedModel.of(each) for each in body["models"]])

    def promote(self, version: str, *, collection: str = "default", force: str = "", waive_canary: str = "") -> Switch:
        """Let a model take over; raises Conflict where no verdict allows it.

        `force` and `waive_canary` are the reasons to do without a verdict or the canary, and are recorded.
        """
        body = {"collection": collection, "force": force, "waive_canary": waive_canary}
        return self._read(Asked("POST", f"/v1/models/{quote(version, safe='')}/promote", body=body), Switch.of)

    def roll_back(self, *, collection: str = "default") -> Switch:
        """Go back to the model before the last promotion."""
        return self._read(Asked("POST", "/v1/models/rollback", body={"collection": collection}), Switch.of)

    def _read(self, asked: Asked, read: Callable[[JsonValue], T]) -> T:
        return self._understood(read, self._transport.json(asked))

    def _understood(self, read: Callable[[JsonValue], T], body: JsonValue) -> T:
        try:
            return read(body)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._transport.stranger() from error


def writing(key: str | None, if_match: str | None = None) -> dict[str, str]:
    """Return the headers of a write, which may be sent again under its key."""
    return {"Idempotency-Key": key or uuid.uuid4().hex, **({"If-Match": if_match} if if_match else {})}
