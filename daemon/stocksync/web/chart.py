"""Charts that the server draws: figures and no scripts; their words stand beside them in the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

from stocksync.core.overview import Day
from stocksync.ports import LedgerRow

_WIDTH, _TOP, _BAR, _STRIP = 720, 4, 56, 10
_LINE_HEIGHT, _EDGE = 72, 6
_SVG = Markup(
    '<svg class="chart" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" aria-label="{said}">'
    "{shapes}</svg>"
)
_RECT = Markup('<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}"></rect>')


@dataclass(frozen=True, slots=True)
class Line:
    """The figures that were written to one place, as points of a polyline."""

    points: str
    low: Decimal
    high: Decimal


def day_chart(day: Day, said: str) -> Markup:
    """Draw a bar for the changes of each quarter of an hour, and below it whether its polls went well."""
    most = max((column.changes for column in day.columns), default=0)
    step = _WIDTH / max(1, len(day.columns))
    shapes = []
    for number, column in enumerate(day.columns):
        x, width = round(number * step + 0.5, 2), round(step - 1, 2)
        if column.changes:
            # By the square root, or one stock take would flatten all the rest.
            height = round(max(2.0, _BAR * math.sqrt(column.changes / most)), 2)
            shapes.append(_RECT.format(kind="bar", x=x, y=round(_TOP + _BAR - height, 2), width=width, height=height))
        mood = "none" if not column.polls else "bad" if column.failed == column.polls else "good"
        mood = "warn" if 0 < column.failed < column.polls else mood
        shapes.append(_RECT.format(kind=mood, x=x, y=_TOP + _BAR + 4, width=width, height=_STRIP))
    height = _TOP + _BAR + 4 + _STRIP
    return _SVG.format(width=_WIDTH, height=height, said=said, shapes=Markup().join(shapes))


def history_chart(rows: Sequence[LedgerRow]) -> Line | None:
    """Draw the figures of one place over time, oldest first, each until the next; None where there is no line."""
    stood = ((row.at.timestamp(), row.change.after if row.read_back is None else row.read_back) for row in rows)
    told = [(at, figure) for at, figure in stood if isinstance(figure, Decimal)]
    if len(told) < 2:  # noqa: PLR2004  one point makes no line
        return None
    begins, ends = told[0][0], told[-1][0]
    low, high = min(figure for _, figure in told), max(figure for _, figure in told)
    points = []
    before = None
    for at, figure in told:
        x = _EDGE + (_WIDTH - 2 * _EDGE) * (at - begins) / (ends - begins or 1)
        y = _EDGE + (_LINE_HEIGHT - 2 * _EDGE) * float((high - figure) / (high - low or 1))
        if before is not None:
            points.append(f"{x:.1f},{before:.1f}")
        points.append(f"{x:.1f},{y:.1f}")
        before = y
    return Line(" ".join(points), low, high)
