"""When a figure was last confirmed, and when it last changed: two times that look alike and are not."""

from datetime import datetime
from typing import NamedTuple

from stocksync.core.desired_state import is_retired
from stocksync.core.model import Presence, SnapshotCell, SnapshotProduct


class Times(NamedTuple):
    """Both are None where Qoyod never showed a figure."""

    confirmed_at: datetime | None
    """When Qoyod last showed the figure, as far as is certain."""
    changed_at: datetime | None
    """When it was first read as it is."""


def times_of(
    remembered: SnapshotCell, known: SnapshotProduct | None, last_complete: datetime | None, *, readable: bool
) -> Times:
    """Give both times of a cell.

    The last complete poll has seen every product: it confirms each figure, save of those it could not read
    (`readable`), did not find, or found without one.
    """
    changed = remembered.source_at
    if not remembered.parts or changed.timestamp() <= 0:
        return Times(None, None)
    listed = known is not None and known.presence is Presence.LISTED and not known.missing
    seen = listed and not is_retired(known) and remembered.unknown_since is None
    if not seen or not readable or last_complete is None:
        return Times(changed, changed)
    return Times(max(changed, last_complete), changed)
