"""What a daemon recovers from by itself, on the machine it runs on: its clock, its pipes, its files, its sockets."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from system_shop import until

STEPPING = str(Path(__file__).with_name("stepping.py"))
SOON = 12.0
HOUR = 3600


async def test_a_clock_set_back_by_an_hour_silences_no_poll(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop()
    clock = shop.folder / "clock"
    daemon = await shop.run(sys.executable, STEPPING, str(clock))
    await until(shop.equal_if_made, "the first poll")
    clock.write_text(str(-HOUR))
    mark = len(daemon.lines)
    shop.set(1, 1, 5)
    await until(shop.equal, "a change reaches the target", within=SOON)
    assert (await daemon.get("/healthz"))[0] == 200
    assert [line["event"] for line in daemon.lines[mark:]].count("scheduler_rebuilt") == 1
    assert await daemon.end(15) == 0
