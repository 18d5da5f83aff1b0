"""What the demo is made of: its files, its panel, the cycles it saw, and the comparison at its end."""

import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stocksync.cli.format.cycle import headline
from stocksync.cli.format.elements import BAD, FAILS, FAINT, GOOD, WELL, clock, count, listed, many
from stocksync.config import Config, load
from stocksync.core.model import show
from stocksync.core.report import CycleReport
from stocksync.state.lockfile import LockFile

if TYPE_CHECKING:
    from stocksync.simulator.server import Simulator

ACCOUNT = "demo"
_PORT, _OTHER_PORTS = 9464, 5
_EXAMPLES = 5
_FILES = tuple(f"{name}.db{ending}" for name in ("state", "target") for ending in ("", "-wal", "-shm"))

# 280 requests a minute is what Qoyod's limit leaves: 2,000 products are 20 pages, so a poll takes about 4.5 seconds.
_TOML = """\
# Written by `stocksync demo`; other commands may look at it: stocksync status --config {directory}/config.toml
[state]
url = "sqlite:///{directory}/state.db"

[http]
listen = "127.0.0.1:{port}"

[[accounts]]
name = "{account}"
base_url = "{base_url}"

[accounts.auth]
secret_file = "{directory}/key"

[accounts.poll]
interval = "5s"
cross_check = 1
requests_per_minute = 280

[accounts.target]
url = "sqlite:///{directory}/target.db"
create_table = true
"""

Truth = Mapping[tuple[int, int], Decimal]


class SeenCycles:
    """The cycles that were seen."""

    def __init__(self) -> None:
        """Begin with none."""
        self.reports: dict[str, CycleReport] = {}

    def add(self, report: CycleReport) -> bool:
        """Note a cycle; whether it is new and has ended."""
        new = report.ended_at is not None and report.cycle_id not in self.reports
        if new:
            self.reports[report.cycle_id] = report
        return new

    def news(self, reports: Sequence[CycleReport]) -> Iterator[Text]:
        """Give a line for each cycle not seen before, oldest first."""
        for report in reversed(reports):
            if self.add(report):
                line = Text(f"{clock(report.started_at)[11:]}  ", style=FAINT)
                line.append_text(headline(report, named=False)).append(f"  {count(report.counts.read)} read, ")
                changes = listed(report.changes, GOOD)
                yield line.append_text(changes if str(changes) else Text("nothing to write", style=FAINT))

    @property
    def changes(self) -> int:
        """Cells written by all cycles seen."""
        return sum(report.counts.applied for report in self.reports.values())


def ports() -> Iterator[int]:
    """Give the ports to listen on, best first; another process may take each before it is listened on."""
    yield _PORT
    for _ in range(_OTHER_PORTS):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        yield port


def prepare(directory: Path, base_url: str, key: str, port: int) -> Config:
    """Write the demo's files anew and give its configuration.

    Raises:
        StateInUse: another demo runs in this directory.

    """
    directory = directory.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = LockFile(directory / "state.db.lock")
    lock.acquire()
    try:
        for name in _FILES:
            (directory / name).unlink(missing_ok=True)
    finally:
        lock.release()
    (directory / "key").touch(mode=0o600)
    (directory / "key").write_text(key, encoding="utf-8")
    text = _TOML.format(directory=directory.as_posix(), port=port, account=ACCOUNT, base_url=base_url)
    file = directory / "config.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, {})


def panel(config: Config, directory: Path, simulator: "Simulator") -> Panel:
    """Say where to look."""
    page = f"http://{config.http.listen}"
    # What a person types: where it stands when it is not on the PATH, as after `make demo`.
    installed = Path(sys.executable).with_name("stocksync")
    command = "stocksync" if shutil.which("stocksync") or not installed.exists() else str(installed)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=FAINT)
    grid.add_column(overflow="fold")
    grid.add_row("page", Text(f"{page}/", style="bold"))
    grid.add_row("metrics", f"{page}/metrics")
    grid.add_row("target", f"{directory / 'target.db'}, table stock_levels")
    grid.add_row("qoyod", f"{simulator.url}  (simulated; {count(len(simulator.catalogue))} products)")
    grid.add_row("", "")
    grid.add_row("try", f"{command} status --config {directory / 'config.toml'}")
    grid.add_row("end", "Ctrl-C")
    return Panel(grid, title="stocksync demo", expand=False, border_style="green", padding=(1, 2))


def differences(config: Config, truth: Truth) -> list[str]:
    """Compare every cell of the target with Qoyod's figure, both ways."""
    file = config.accounts[0].target.dsn().removeprefix("sqlite:///")
    held: dict[tuple[int, str], Decimal | None] = {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT product_id, location_id, quantity FROM stock_levels")
        for product, place, quantity in rows:
            try:
                held[int(product), str(place)] = Decimal(str(quantity))
            except InvalidOperation:
                held[int(product), str(place)] = None
    expected = {(product, str(place)): figure for (product, place), figure in truth.items()}
    lines = []
    for cell in sorted(expected.keys() | held.keys()):
        source, target = expected.get(cell), held.get(cell)
        if source is None or target is None or source != target:
            words = ("no figure" if each is None else show(each) for each in (source, target))
            lines.append("product {} @ {}: Qoyod {}, target {}".format(*cell, *words))
    return lines


def summary(seen: SeenCycles, found: Sequence[str] | None, cells: int) -> RenderableType:
    """Sum the demo up, and say what comes next."""
    done = Text(f"\n{many(len(seen.reports), 'cycle')}, {many(seen.changes, 'change')} written", style="bold")
    after = Text("next: stocksync init, for a Qoyod and a database of your own", style=FAINT)
    if found is None:
        return Group(done, after)
    if not found:
        same = Text(f"{WELL} the target equals Qoyod in all {count(cells)} cells", style=f"bold {GOOD}")
        return Group(done, same, after)
    shown = (Text(f"  {line}", style=BAD) for line in found[:_EXAMPLES])
    return Group(done, Text(f"{FAILS} {count(len(found))} of {count(cells)} cells differ", style=f"bold {BAD}"), *shown)
