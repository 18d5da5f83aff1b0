"""A real Prometheus with our rules, and how to ask it."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from servers import free_port

RULES = Path(__file__).parents[1] / "deploy/prometheus/stocksync.rules.yml"


@asynccontextmanager
async def prometheus(program: str, target: str, folder: Path) -> AsyncIterator[str]:
    """Run a Prometheus that scrapes `target` every second; gives its address."""
    config = folder / "prometheus.yml"
    scraped = [{"job_name": "stocksync", "static_configs": [{"targets": [target]}]}]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config.write_text(
        json.dumps({"global": every, "rule_files": [str(RULES)], "scrape_configs": scraped}), encoding="utf-8"
    )
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def asked(session: aiohttp.ClientSession, url: str, **query: str) -> Any:
    """Ask its API; None while it does not answer, or refuses."""
    try:
        async with session.get(url, params=query) as answer:
            return (await answer.json())["data"] if answer.status == 200 else None
    except OSError:
        return None
