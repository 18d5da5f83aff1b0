"""What the target made of a figure, as read back in the transaction that wrote it."""

from stocksync.core.model import Change, Figure, Removal, TargetRow


def altered_figure(change: Change, live: TargetRow | None) -> Figure | None:
    """Give the figure that stands in place of the one written; None where it is the same.

    Raises:
        ValueError: nothing stands there that could be acknowledged; the text says what does.

    """
    if live is None:
        if isinstance(change.after, Removal):
            return None
        raise ValueError("the target took the figure, but no such row is there afterwards")
    if live.holds(change.after) or (change.after is Removal.DEACTIVATED and live.active is None):
        return None
    if live.rows > 1:
        raise ValueError(f"{live.rows} rows are there after the figure was written")
    stands = live.figure if isinstance(change.after, Removal) else live.quantity
    if stands is None:
        raise ValueError("the target took the figure, but no number is there afterwards")
    return stands
