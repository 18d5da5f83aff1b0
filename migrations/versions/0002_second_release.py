"""What the second release remembers."""

import sqlalchemy as sa
from alembic import op

from stocksync.state.codec import totals_text
from stocksync.state.digests import look_alike_key
from stocksync.state.types import Blob, Counter, Digest, Instant, Key, Words

revision = "0002"
down_revision = "0001"
_ALIKE = "stocksync_products_alike"
_AT_ONCE = 5000


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
        ("stocksync_accounts", sa.Column("checked_up_to", sa.BigInteger())),
        ("stocksync_accounts", sa.Column("rules", Digest)),
        ("stocksync_accounts", sa.Column("ledger_from", Instant())),
        ("stocksync_accounts", sa.Column("address", Words())),
        ("stocksync_accounts", sa.Column("recent_totals", Words())),
        ("stocksync_accounts", sa.Column("unread", Words())),
        ("stocksync_accounts", sa.Column("told", Words())),
        ("stocksync_products", sa.Column("presence", Key(20), nullable=False, server_default="listed")),
        ("stocksync_products", sa.Column("digest", Digest)),
        ("stocksync_products", sa.Column("unchanged", sa.Integer())),
        ("stocksync_products", sa.Column("unmanaged", sa.Integer())),
        ("stocksync_products", sa.Column("unmapped", sa.Integer())),
        ("stocksync_products", sa.Column("managed", sa.Integer())),
        ("stocksync_products", sa.Column("look_alike", Key(64))),
    ]


def upgrade() -> None:
    # MariaDB commits each statement by itself: what was interrupted runs again.
    inspector = sa.inspect(op.get_bind())
    for table, column in added():
        if column.name not in {known["name"] for known in inspector.get_columns(table)}:
            op.add_column(table, column)
    if not any(known["name"] == _ALIKE for known in inspector.get_indexes("stocksync_products")):
        op.create_index(_ALIKE, "stocksync_products", ["look_alike", "account"])
    # Look-ups since the last complete cycle are weighed together, and 0.1 had cycles too.
    op.execute("UPDATE stocksync_accounts SET weighed_at = last_complete WHERE weighed_at IS NULL")
    # What 0.1 has deleted of the ledger is not known: it is believed from its oldest row on.
    op.execute(
        "UPDATE stocksync_accounts SET ledger_from = (SELECT MIN(l.at) FROM stocksync_ledger l"
        " WHERE l.account = stocksync_accounts.account) WHERE ledger_from IS NULL"
    )
    # 0.1 told these by the count alone.
    op.execute("UPDATE stocksync_products SET presence = 'unlisted', missing = missing + 50 WHERE missing < 0")
    op.execute("UPDATE stocksync_products SET presence = 'unanswered', missing = 2 WHERE missing >= 1000000")
    _fill_look_alikes(op.get_bind())
    _fill_recent_totals(op.get_bind())
    if any(known["name"] == "last_attempt" for known in inspector.get_columns("stocksync_accounts")):
        op.drop_column("stocksync_accounts", "last_attempt")  # a cycle's own row says when it began
    plans_by_cause()
    request_budgets()
    commit_count()
    shared_duties()
    if op.get_bind().dialect.name == "postgresql":
        # An intent and its acknowledgement are two versions of a row: with room beside it the index is left alone.
        op.execute("ALTER TABLE stocksync_cells SET (fillfactor = 50)")


def _fill_look_alikes(connection: sa.Connection) -> None:
    products = sa.table("stocksync_products", *map(sa.column, ("account", "product_id", "sku", "look_alike")))
    key = (products.c.account == sa.bindparam("of"), products.c.product_id == sa.bindparam("id"))
    filled = sa.update(products).where(*key).values(look_alike=sa.bindparam("alike"))
    query = sa.select(products.c.account, products.c.product_id, products.c.sku).where(products.c.look_alike.is_(None))
    while rows := connection.execute(query.limit(_AT_ONCE)).all():
        connection.execute(filled, [{"of": row[0], "id": row[1], "alike": look_alike_key(row[2])} for row in rows])


def _fill_recent_totals(connection: sa.Connection) -> None:
    accounts = sa.table("stocksync_accounts", *map(sa.column, ("account", "recent_totals")))
    cycles = sa.table("stocksync_cycles", *map(sa.column, ("account", "started_at", "total")))
    unfilled = sa.select(accounts.c.account).where(accounts.c.recent_totals.is_(None))
    for account in connection.execute(unfilled).scalars().all():
        measured = sa.select(cycles.c.total).where(cycles.c.account == account, cycles.c.total.is_not(None))
        newest = connection.execute(measured.order_by(cycles.c.started_at.desc()).limit(10)).scalars().all()
        filled = sa.update(accounts).where(accounts.c.account == account)
        connection.execute(filled.values(recent_totals=totals_text(newest[::-1])))


def downgrade() -> None:
    one_plan_an_account()
    op.add_column("stocksync_accounts", sa.Column("last_attempt", Instant()))
    op.execute(
        "UPDATE stocksync_accounts SET last_attempt = (SELECT MAX(c.started_at) FROM stocksync_cycles c"
        " WHERE c.account = stocksync_accounts.account)"
    )
    op.execute("UPDATE stocksync_products SET missing = missing - 50 WHERE presence = 'unlisted'")
    op.execute("UPDATE stocksync_products SET missing = 1000000 WHERE presence = 'unanswered'")
    op.drop_table("stocksync_commits", if_exists=True)
    op.drop_table("stocksync_duties", if_exists=True)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE stocksync_cells RESET (fillfactor)")
    op.drop_table("stocksync_budgets", if_exists=True)
    op.drop_index(_ALIKE, "stocksync_products")
    for table, column in reversed(added()):
        op.drop_column(table, column.name)


def plans_by_cause() -> None:
    op.create_table(
        "stocksync_waiting_plans",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("cause", Key(20), primary_key=True),
        sa.Column("plan_id", Key(100), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("plan", Blob, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "stocksync_decisions",
        sa.Column("id", Counter, primary_key=True),
        sa.Column("account", Key(100), nullable=False),
        sa.Column("plan_id", Key(100), nullable=False),
        sa.Column("cause", Key(20), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("plan", Blob, nullable=False),
        sa.Column("decision", Key(20), nullable=False),
        sa.Column("decided_by", Words(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("stocksync_decisions_account", "stocksync_decisions", ["account", "id"], if_not_exists=True)
    op.create_table(
        "stocksync_decided_cells",
        sa.Column("account", Key(100), primary_key=True),
        sa.Column("decision_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("product_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("place", Key(255), primary_key=True),
        sa.Column("after", Words(), nullable=False),
        if_not_exists=True,
    )
    if sa.inspect(op.get_bind()).has_table("stocksync_held_plans"):
        # What waited still waits, with its age; an approval that no cycle has acted on is asked for again.
        op.execute(
            "INSERT INTO stocksync_waiting_plans (account, cause, plan_id, created_at, plan)"
            " SELECT account, 'poll', plan_id, created_at, plan FROM stocksync_held_plans"
            " WHERE account NOT IN (SELECT account FROM stocksync_waiting_plans)"
        )
        op.drop_table("stocksync_held_plans")


def one_plan_an_account() -> None:
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
    # Version 0.1 cannot read a plan with several guards a change: its next cycle makes the plan anew.
    op.drop_table("stocksync_decided_cells", if_exists=True)
    op.drop_table("stocksync_decisions", if_exists=True)
    op.drop_table("stocksync_waiting_plans", if_exists=True)


def commit_count() -> None:
    op.create_table(
        "stocksync_commits",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )


def shared_duties() -> None:
    op.create_table(
        "stocksync_duties",
        sa.Column("duty", Key(20), primary_key=True),
        sa.Column("owner", Words(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        if_not_exists=True,
    )
    op.execute(
        "INSERT INTO stocksync_duties (duty, owner, expires_at) SELECT 'sends', '', 0"
        " WHERE NOT EXISTS (SELECT 1 FROM stocksync_duties WHERE duty = 'sends')"
    )


def request_budgets() -> None:
    op.create_table(
        "stocksync_budgets",
        sa.Column("budget", Key(100), primary_key=True),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("forbidden_until", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
