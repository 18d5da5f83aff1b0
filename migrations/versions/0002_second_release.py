"""What the second release remembers."""

import sqlalchemy as sa
from alembic import op

from stocksync.state.types import Instant, Words

revision = "0002"
down_revision = "0001"


def added() -> list[tuple[str, sa.Column]]:
    return [
        ("stocksync_accounts", sa.Column("layout", Words())),
        ("stocksync_cells", sa.Column("sent", Words())),
        ("stocksync_ledger", sa.Column("read_back", Words())),
        ("stocksync_accounts", sa.Column("target", Words())),
        ("stocksync_accounts", sa.Column("weighed_at", Instant())),
        ("stocksync_accounts", sa.Column("unauthorized_since", Instant())),
        ("stocksync_accounts", sa.Column("target_contact", Instant())),
        ("stocksync_accounts", sa.Column("locations", Words())),
    ]


def upgrade() -> None:
    # MariaDB commits each statement by itself: what was interrupted runs again.
    inspector = sa.inspect(op.get_bind())
    for table, column in added():
        if column.name not in {known["name"] for known in inspector.get_columns(table)}:
            op.add_column(table, column)
    # Look-ups since the last complete cycle are weighed together, and 0.1 had cycles too.
    op.execute("UPDATE stocksync_accounts SET weighed_at = last_complete WHERE weighed_at IS NULL")


def downgrade() -> None:
    for table, column in reversed(added()):
        op.drop_column(table, column.name)
