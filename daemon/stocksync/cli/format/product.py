"""One product: its stock from all sides, how each figure came about, and its history."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.text import Text

from stocksync.cli.format.words import (
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
    table,
    zone,
)
from stocksync.core.answers import CellExplanation, Explanation, LocationStock, StockAnswer
from stocksync.core.model import TargetRow, show
from stocksync.ports import LedgerRow


def stock(value: StockAnswer, now: datetime) -> RenderableType:
    """Show the figures of one product."""
    fresh = (
        ("from Qoyod just now", GOOD) if value.fresh else (f"Qoyod is away; remembered from {ago(value.at, now)}", WARN)
    )
    parts: list[RenderableType] = [_title(value.account, value.product_id, value.sku, value.name, fresh)]
    if not value.tracked:
        parts.append(Text("  Qoyod does not track its stock", style=WARN))
    made = table(
        "  location", "Qoyod", "should be", "written", "target", "", right=("Qoyod", "should be", "written", "target")
    )
    for place in value.places:
        made.add_row(*_place(place))
    parts.append(made if value.places else Text("  no stock is known", style=WARN))
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
        parts += [Text(), *_cell(cell, now)]
    return Group(*parts)


def history(rows: Sequence[LedgerRow]) -> RenderableType:
    """Show applied changes, newest first."""
    made = table(
        f"written ({zone()})", "SKU", "location", "before", "after", "kind", "cause", "cycle", right=("before", "after")
    )
    for row in rows:
        made.add_row(clock(row.at), *_ledger(row), Text(row.cycle_id, style=FAINT))
    return made


def _title(account: str, product_id: int, sku: str, name: str, aside: tuple[str, str]) -> Text:
    who = f"  {clean(name)}  (id {product_id}, {clean(account)})"
    return Text.assemble((clean(sku) or "no SKU", "bold"), who, "  ", aside)


def _place(value: LocationStock) -> tuple[Text | str, ...]:
    names = ", ".join(clean(name) or f"id {number}" for number, name in sorted(value.locations.items()))
    where = f"  {clean(value.place)}" if value.place else "  all"
    title = Text.assemble(where, (f"  {names}" if names and names != value.place else "", FAINT))
    figures = (value.source, value.desired, value.snapshot if value.sent is None else value.sent, value.target)
    return (title, *(figure(each) for each in figures), _compared(value))


def _compared(value: LocationStock) -> Text:
    if isinstance(value.desired, Decimal) and value.target == value.desired:
        return Text(WELL, style=GOOD)
    if value.target is None:
        return Text("not there", style=WARN)
    return Text("differs" if value.sent is None else "altered by the target", style=WARN)


def _cell(value: CellExplanation, now: datetime) -> list[RenderableType]:
    read = f"read {ago(value.read_at, now)}" if value.read_at else "never read"
    title = Text.assemble(("  ", ""), (clean(value.place) or "all locations", "bold"), (f"  {read}", FAINT))
    steps = table("    step", "figure", "why", right=("figure",))
    for step in value.steps:
        steps.add_row(Text(f"    {clean(step.name)}"), Text(clean(step.value)), Text(clean(step.why), style=FAINT))
    ends = facts(
        ("  should be", figure(value.desired)),
        ("  about to be", figure(value.intent, "")),
        ("  written", figure(value.acked if value.sent is None else value.sent, "never")),
        ("  target", _live(value)),
        ("  remark", Text(clean(value.remark), style=WARN)),
    )
    return [title, steps, ends]


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


def _ledger(row: LedgerRow) -> tuple[Text | str, ...]:
    change = row.change
    before = Text("nothing", style=FAINT) if change.before is None else Text(show(change.before))
    texts = (Text(clean(change.sku)), Text(clean(change.place)))
    after = figure(change.after)
    if row.read_back is not None:
        after.append(f", became {show(row.read_back)}", style=WARN)
    return (*texts, before, after, change.kind.value, clean(change.cause))
