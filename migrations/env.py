"""Run migrations over the connection that stocksync.state.migrate hands in."""

from alembic import context

from stocksync.state.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    version_table_pk=False,
)
with context.begin_transaction():
    context.run_migrations()
