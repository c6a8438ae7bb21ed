"""Alembic's entry point: migrate over the connection that Database.migrate handed in."""

from alembic import context

# Their tables belong to the metadata.
from retrieval.catalog import schema_idempotency, schema_recurring, schema_searches, schema_votes  # noqa: F401
from retrieval.catalog.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
