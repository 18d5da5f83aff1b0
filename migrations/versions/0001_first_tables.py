"""The first tables."""

import sqlalchemy as sa
from alembic import op

from stocksync.state.types import Blob, Counter, Instant, Key, Words

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "stocksync_accounts",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("owner", Words(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("last_attempt", Instant()),
        sa.Column("last_complete", Instant()),
        sa.Column("last_push", Instant()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("audit", Words()),
        if_not_exists=True,
    )
    op.create_table(
        "stocksync_products",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("product_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sku", Words(), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("tracked", sa.Boolean(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("gone_at", Instant()),
        if_not_exists=True,
    )
    op.create_table(
        "stocksync_cells",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("product_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("place", Key(255), primary_key=True),
        sa.Column("parts", Words(), nullable=False),
        sa.Column("source_at", Instant(), nullable=False),
        sa.Column("source_cycle", Key(100), nullable=False),
        sa.Column("intent", Words()),
        sa.Column("intended_at", Instant()),
        sa.Column("acked", Words()),
        sa.Column("acked_at", Instant()),
        sa.Column("sku", Words(), nullable=False),
        sa.Column("former_sku", Words(), nullable=False),
        sa.Column("unknown_since", Instant()),
        if_not_exists=True,
    )
    op.create_table(
        "stocksync_ledger",
        sa.Column("id", Counter, primary_key=True),
        sa.Column("account", Key(100), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("cycle_id", Key(100), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("place", Key(255), nullable=False),
        sa.Column("sku", Words(), nullable=False),
        sa.Column("sku_key", Key(64), nullable=False),
        sa.Column("before", Words()),
        sa.Column("after", Words(), nullable=False),
        sa.Column("parts", Words(), nullable=False),
        sa.Column("cause", Words(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("stocksync_ledger_at", "stocksync_ledger", ["account", "at"], if_not_exists=True)
    op.create_index("stocksync_ledger_product", "stocksync_ledger", ["account", "product_id", "id"], if_not_exists=True)
    op.create_index("stocksync_ledger_sku", "stocksync_ledger", ["account", "sku_key"], if_not_exists=True)
    op.create_table(
        "stocksync_cycles",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("cycle_id", Key(100), primary_key=True),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant()),
        sa.Column("verdict", Key(20)),
        sa.Column("outcome", Key(20)),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("total", sa.BigInteger()),
        sa.Column("report", Words(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("stocksync_cycles_started", "stocksync_cycles", ["account", "started_at"], if_not_exists=True)
    op.create_table(
        "stocksync_held_plans",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("plan_id", Key(100), nullable=False, unique=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("plan", Blob, nullable=False),
        sa.Column("decision", Key(20), nullable=False),
        sa.Column("decided_by", Words(), nullable=False),
        sa.Column("decided_at", Instant()),
        if_not_exists=True,
    )
    op.create_table(
        "stocksync_quarantine",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("product_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("whole", sa.Boolean(), primary_key=True),
        sa.Column("place", Key(255), primary_key=True),
        sa.Column("side", Key(20), nullable=False),
        sa.Column("reason", Words(), nullable=False),
        sa.Column("figure", Words()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("retry_at", Instant(), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "stocksync_credentials",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("token", Words(), nullable=False),
        sa.Column("saved_at", Instant(), nullable=False),
        if_not_exists=True,
    )
