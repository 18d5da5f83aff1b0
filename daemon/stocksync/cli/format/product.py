"""One product: its stock from all sides, how each figure came about, and its history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.text import Text

from stocksync.cli.format.elements import (
    BAD,
    FAINT,
    GOOD,
    WARN,
    WELL,
    ago,
    cells,
    clean,
    clock,
    facts,
    figure,
    located,
    table,
    zone,
)
from stocksync.core.answers import CellExplanation, Explanation, LocationStock, StockAnswer
from stocksync.core.model import Kind, TargetRow, show
from stocksync.ports import LedgerRow

_WIDE = 100


def stock(value: StockAnswer, now: datetime) -> RenderableType:
    """Show the figures of one product."""
    fresh = ("from Qoyod just now", GOOD) if value.fresh else ("from the snapshot", WARN)
    parts: list[RenderableType] = [
        _title(value.account, value.product_id, value.sku, value.name, fresh),
        Text(f"  {_times(value.confirmed_at, value.changed_at, now)}", style=FAINT),
    ]
    if not value.tracked:
        parts.append(Text("  Qoyod does not track its stock", style=WARN))
    made = table(
        "  location", "Qoyod", "should be", "written", "target", "", right=("Qoyod", "should be", "written", "target")
    )
    for place in value.places:
        title = Text("  ").append_text(located(place.place, _names(place.locations)))
        figures = (place.source, place.desired, place.snapshot if place.sent is None else place.sent, place.target)
        made.add_row(title, *(figure(each) for each in figures), _compared(place))
    parts.append(made if value.places else Text("  no stock is known", style=WARN))
    remarked = [place for place in value.places if place.remark]
    parts += [
        Text.assemble("  ", (str(_named(one.place, one.locations)), "bold"), ": ", (clean(one.remark), WARN))
        for one in remarked
    ]
    if value.pushed:
        parts.append(Text(f"  {WELL} wrote {cells(value.pushed)} because of this look-up", style=GOOD))
    if value.note:
        parts.append(Text(f"  {clean(value.note)}", style=WARN))
    return Group(*parts)


def explanation(value: Explanation, now: datetime) -> RenderableType:
    """Show how each number of a product came about."""
    where = (f"list page {value.page}" if value.page else "", FAINT)
    parts: list[RenderableType] = [_title(value.account, value.product_id, value.sku, value.name, where)]
    if not value.tracked:
        parts.append(Text("  Qoyod does not track its stock", style=WARN))
    if value.remark:
        parts.append(Text(f"  {clean(value.remark)}", style=WARN))
    for cell in value.cells:
        times = _times(cell.confirmed_at, cell.changed_at, now)
        name = str(_named(cell.place, cell.locations))
        ends = facts(
            ("  should be", figure(cell.desired)),
            ("  about to be", figure(cell.intent, "")),
            ("  written", figure(cell.acked if cell.sent is None else cell.sent, "never")),
            ("  target", _live(cell)),
            ("  remark", Text(clean(cell.remark), style=WARN)),
        )
        parts += [Text(), Text.assemble("  ", (name, "bold"), (f"  {times}", FAINT)), *_steps(cell), ends]
    return Group(*parts)


def history(rows: Sequence[LedgerRow], width: int = 120) -> RenderableType:
    """Show applied changes, newest first: SKUs where there are several, cycle ids where there is room for them."""
    cycle = ("cycle",) if width >= _WIDE else ()
    sku = ("SKU",) if len({row.change.sku for row in rows}) > 1 else ()
    titles = (f"written ({zone()})", *sku, "location", "before", "after", "cause", *cycle)
    made = table(*titles, right=("before", "after"))
    made.columns[0].min_width = len(clock(rows[0].at)) if rows else 0
    for row in rows:
        ids = (Text(row.cycle_id, style=FAINT, no_wrap=True),) if cycle else ()
        skus = (Text(clean(row.change.sku)),) if sku else ()
        change = row.change
        before = Text("nothing", style=FAINT) if change.before is None else Text(show(change.before))
        after, cause = figure(change.after), Text(clean(change.cause))
        if row.read_back is not None:
            after.append(f", became {show(row.read_back)}", style=WARN)
        if change.kind is not Kind.UPDATE:
            cause.append(f" ({change.kind})", style=WARN if change.kind.destructive else FAINT)
        where = located(change.place, row.location)
        made.add_row(Text(clock(row.at), no_wrap=True), *skus, where, before, after, cause, *ids)
    return made


def _title(account: str, product_id: int, sku: str, name: str, aside: tuple[str, str]) -> Text:
    who = f"  {clean(name)}  (id {product_id}, {clean(account)})"
    return Text.assemble((clean(sku) or "no SKU", "bold"), who, "  ", aside)


def _compared(value: LocationStock) -> Text:
    if isinstance(value.desired, Decimal) and value.target == value.desired:
        return Text(WELL, style=GOOD)
    if value.in_target is None and value.target is None:
        return Text("cannot be asked", style=WARN)
    if value.target is None:
        return Text("no number" if value.in_target else "not there", style=WARN)
    return Text("differs" if value.sent is None else "altered by the target", style=WARN)


def _times(confirmed: datetime | None, changed: datetime | None, now: datetime) -> str:
    if confirmed is None or changed is None:
        return "Qoyod has shown no figure of it"
    return f"confirmed {ago(confirmed, now)}, last changed {ago(changed, now)}"


def _names(locations: Mapping[int, str]) -> str:
    return " + ".join(name for _, name in sorted(locations.items()) if name)


def _named(place: str, locations: Mapping[int, str]) -> Text:
    return located(place or "all locations", _names(locations))


def _steps(value: CellExplanation) -> list[RenderableType]:
    """Show the raw figures and each step that changes something; the others in one line."""
    made = table("    step", "figure", "why", right=("figure",))
    before, idle = "", []
    for step in value.steps:
        if step.name != "raw" and step.value == before:
            idle.append(step.name)
            continue
        made.add_row(Text(f"    {clean(step.name)}"), Text(clean(step.value)), Text(clean(step.why), style=FAINT))
        before = step.value
    unbent = [Text(f"    {', '.join(idle)}: nothing changes", style=FAINT)] if idle else []
    return [made, *unbent] if value.steps else []


def _live(value: CellExplanation) -> Text:
    if value.live_error:
        return Text(clean(value.live_error), style=BAD)
    live: TargetRow | None = value.live
    if live is None or live.rows == 0:
        return Text("no such row", style=WARN)
    text = figure(live.quantity, "no number")
    if live.rows > 1:
        text.append(f"  in {live.rows} rows", style=BAD)
    if live.active is not None:
        text.append("  active" if live.active else "  not active", style=FAINT)
    same = value.desired is not None and live.holds(value.desired)
    return text.append(f"  {WELL}" if same else "  differs", style=GOOD if same else WARN)
