"""The state database's tables; the prefix lets them live beside the target's.

Quantities are text (exact decimals, as `show` gives them), instants microseconds since 1970 in UTC.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table

from stocksync.state.types import Blob, Counter, Digest, Instant, Key, Words

PREFIX = "stocksync_"
VERSION_TABLE = "stocksync_schema"
HEAD = "0002"
"""The newest migration, which makes these tables."""
ACCOUNT_LENGTH = 100
PLACE_LENGTH = 255
ID_LENGTH = 100
SKU_KEY_LENGTH = 64
LOOK_ALIKE_LENGTH = 64

metadata = MetaData()

accounts = Table(
    "stocksync_accounts",
    metadata,
    Column("account", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("owner", Words, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_complete", Instant),
    Column("last_push", Instant),
    Column("failures", Integer, nullable=False),
    Column("audit", Words),
    Column("layout", Words),
    Column("target", Words),
    Column("weighed_at", Instant),
    Column("unauthorized_since", Instant),
    Column("target_contact", Instant),
    Column("locations", Words),
    Column("checked_up_to", BigInteger),
    Column("rules", Digest),
    Column("ledger_from", Instant),
    Column("address", Words),
    Column("recent_totals", Words),
    Column("unread", Words),
    Column("told", Words),
)

products = Table(
    "stocksync_products",
    metadata,
    Column("account", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sku", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("tracked", Boolean, nullable=False),
    Column("page", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("gone_at", Instant),
    Column("presence", Key(20), nullable=False, server_default="listed"),
    Column("digest", Digest),
    Column("unchanged", Integer),
    Column("unmanaged", Integer),
    Column("unmapped", Integer),
    Column("managed", Integer),
    Column("look_alike", Key(LOOK_ALIKE_LENGTH)),
    # Not the account first: where statistics know none of its products, PostgreSQL takes that for as good as the key.
    Index("stocksync_products_alike", "look_alike", "account"),
)

cells = Table(
    "stocksync_cells",
    metadata,
    Column("account", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("place", Key(PLACE_LENGTH), primary_key=True),
    Column("parts", Words, nullable=False),
    Column("source_at", Instant, nullable=False),
    Column("source_cycle", Key(ID_LENGTH), nullable=False),
    Column("intent", Words),
    Column("intended_at", Instant),
    Column("acked", Words),
    Column("acked_at", Instant),
    Column("sku", Words, nullable=False),
    Column("former_sku", Words, nullable=False),
    Column("unknown_since", Instant),
    Column("sent", Words),
    postgresql_with={"fillfactor": 50},
)

ledger = Table(
    "stocksync_ledger",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("account", Key(ACCOUNT_LENGTH), nullable=False),
    Column("at", Instant, nullable=False),
    Column("cycle_id", Key(ID_LENGTH), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("product_id", BigInteger, nullable=False),
    Column("place", Key(PLACE_LENGTH), nullable=False),
    Column("sku", Words, nullable=False),
    Column("sku_key", Key(SKU_KEY_LENGTH), nullable=False),
    Column("before", Words),
    Column("after", Words, nullable=False),
    Column("parts", Words, nullable=False),
    Column("cause", Words, nullable=False),
    Column("read_back", Words),
    Index("stocksync_ledger_product", "account", "product_id", "id"),
    Index("stocksync_ledger_sku", "account", "sku_key"),
    Index("stocksync_ledger_at", "account", "at"),
)

cycles = Table(
    "stocksync_cycles",
    metadata,
    Column("account", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("cycle_id", Key(ID_LENGTH), primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("verdict", Key(20)),
    Column("outcome", Key(20)),
    Column("complete", Boolean, nullable=False),
    Column("total", BigInteger),
    Column("report", Words, nullable=False),
    Index("stocksync_cycles_started", "account", "started_at"),
)

waiting_plans = Table(
    "stocksync_waiting_plans",
    metadata,
    Column("account", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("cause", Key(20), primary_key=True),
    Column("plan_id", Key(ID_LENGTH), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("plan", Blob, nullable=False),
)

decisions = Table(
    "stocksync_decisions",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("account", Key(ACCOUNT_LENGTH), nullable=False),
    Column("plan_id", Key(ID_LENGTH), nullable=False),
    Column("cause", Key(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("plan", Blob, nullable=False),
    Column("decision", Key(20), nullable=False),
    Column("decided_by", Words, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Index("stocksync_decisions_account", "account", "id"),
)

decided_cells = Table(
    "stocksync_decided_cells",
    metadata,
    Column("account", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("decision_id", BigInteger, primary_key=True, autoincrement=False),
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("place", Key(PLACE_LENGTH), primary_key=True),
    Column("after", Words, nullable=False),
)

quarantine = Table(
    "stocksync_quarantine",
    metadata,
    Column("account", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("whole", Boolean, primary_key=True),
    Column("place", Key(PLACE_LENGTH), primary_key=True),
    Column("side", Key(20), nullable=False),
    Column("reason", Words, nullable=False),
    Column("figure", Words),
    Column("attempts", Integer, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("retry_at", Instant, nullable=False),
)

budgets = Table(
    "stocksync_budgets",
    metadata,
    Column("budget", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("next_at", BigInteger, nullable=False),
    Column("forbidden_until", BigInteger, nullable=False),
    Column("share", Integer, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
"""Instants as numbers, to calculate with; what they mean stands in core/budget.py."""

commits = Table(
    "stocksync_commits",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
)
"""One row, in SQLite alone: see state/commit_count.py."""

duties = Table(
    "stocksync_duties",
    metadata,
    Column("duty", Key(20), primary_key=True),
    Column("owner", Words, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
"""What one of several equal processes does for all of them: see state/duties.py."""

credentials = Table(
    "stocksync_credentials",
    metadata,
    Column("account", Key(ACCOUNT_LENGTH), primary_key=True),
    Column("token", Words, nullable=False),
    Column("saved_at", Instant, nullable=False),
)
