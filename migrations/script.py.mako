"""${message}."""

import sqlalchemy as sa
from alembic import op

from stocksync.state.types import Blob, Counter, Instant, Key, Words

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
