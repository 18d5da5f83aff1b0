"""What the second release remembers."""

import sqlalchemy as sa
from alembic import op

from stocksync.state.types import Words

revision = "0002"
down_revision = "0001"


def added() -> list[tuple[str, sa.Column]]:
    return [
        ("stocksync_accounts", sa.Column("layout", Words())),
        ("stocksync_cells", sa.Column("sent", Words())),
        ("stocksync_ledger", sa.Column("read_back", Words())),
    ]


def upgrade() -> None:
    # MariaDB commits each statement by itself: what was interrupted runs again.
    inspector = sa.inspect(op.get_bind())
    for table, column in added():
        if column.name not in {known["name"] for known in inspector.get_columns(table)}:
            op.add_column(table, column)


def downgrade() -> None:
    for table, column in reversed(added()):
        op.drop_column(table, column.name)
