"""Run migrations over the connection that stocksync.state.migrate hands in."""

from alembic import context

from stocksync.state.schema import VERSION_TABLE, metadata
from stocksync.state.views import create_views, drop_views

connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    version_table_pk=False,
)
with context.begin_transaction():
    drop_views(connection)
    context.run_migrations()
    if context.get_context().get_current_heads() == context.get_head_revisions():
        create_views(connection)
