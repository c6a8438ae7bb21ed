"""Alembic's entry point: migrate over the connection that Database.migrate handed in."""

from alembic import context

import retrieval.catalog.schema_recurring  # noqa: F401  # its tables belong to the metadata
from retrieval.catalog import search_schema  # noqa: F401  # its tables are the schema's, too
from retrieval.catalog.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
