"""Every query of the dashboards finds data in a Prometheus that scrapes a daemon at work."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_server import asked, prometheus
from system_shop import sql, until

DASHBOARDS = Path(__file__).parents[2] / "deploy/grafana/dashboards"
NOTHING_TO_SHOW = {
    "oldest unpushed change": "lasts for a moment where the target takes what it is given",
    "oldest refused row": "no row is refused here",
    "oldest unknown figure": "Qoyod shows every figure here",
    "token expires in (s)": "only with OAuth",
    "Oldest change not yet written": "as above",
    "Take-overs": "no other process takes over here",
    "Messages to people": "nobody is to be told here",
    "Triggers not followed": "every trigger is followed here",
}


def queries() -> dict[str, str]:
    """Give each query by its panel and legend, as Grafana would send it."""
    found = {}
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        annotations = [(one["name"], one["expr"], "") for one in dashboard["annotations"]["list"]]
        panels = [
            (p["title"], each["expr"], each["legendFormat"]) for p in dashboard["panels"] for each in p["targets"]
        ]
        for title, expr, legend in annotations + panels:
            if not {title, legend} & NOTHING_TO_SHOW.keys():
                filled = expr.replace("$account", "main").replace("$__rate_interval", "20s")
                found[f"{path.stem}: {title}: {legend}: {expr}"] = filled
    return found


async def test_every_query_finds_data(open_shop: Callable[..., Any], tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        assert os.environ.get("STOCKSYNC_REQUIRE") != "all", "prometheus is not installed"
        pytest.skip("prometheus is not installed")
    settings = {"policy": {"negative": "zero"}, "drift": {"interval": "2s"}, "poll": {"cross_check": 1}}
    shop = await open_shop(products=25, settings=settings)
    daemon = await shop.run()
    await daemon.says("cycle", outcome="done")
    root = (await daemon.says("serving"))["page"].removeprefix("http://").rstrip("/")
    async with prometheus(program, root, tmp_path) as server, aiohttp.ClientSession() as session:
        await sql(shop.target, "UPDATE stock_levels SET quantity = 999 WHERE product_id = 2 AND location_id = '3'")
        shop.set(1, 3, -5)
        shop.simulator.faults.add("page-1=500x1")
        for product in range(1, 26):
            shop.set(product, 1, 0)
        waiting = queries()

        async def answered() -> bool:
            for name, expression in list(waiting.items()):
                data = await asked(session, f"{server}/api/v1/query", query=expression)
                if data and data["result"]:
                    del waiting[name]
            shop.set(3, 3, len(waiting) + 1000)  # there is always something to write
            return not waiting

        try:
            await until(answered, "data for every query")
        except AssertionError as error:
            raise AssertionError("\n".join(waiting)) from error
