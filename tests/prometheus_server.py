"""A real Prometheus with our rules, a real Alertmanager behind it, and how to ask them."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from servers import free_port

JOB = "shop-stock"
"""Whoever runs us calls the job as they like: neither rules nor dashboards look for a name."""
RULES = Path(__file__).parents[1] / "deploy/prometheus/stocksync.rules.yml"


@asynccontextmanager
async def prometheus(
    program: str, target: str, folder: Path, *more: str, rules: Path = RULES, alertmanager: str = ""
) -> AsyncIterator[str]:
    """Run a Prometheus that scrapes `target`, and more, every second; gives its address."""
    config = folder / "prometheus.yml"
    settings: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [target, *more]}]}],
    }
    if alertmanager:
        settings["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    config.write_text(json.dumps(settings), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    options = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}")
    async with _running(program, *options):
        yield f"http://{address}"


@asynccontextmanager
async def alertmanager(program: str, settings: Mapping[str, Any], folder: Path) -> AsyncIterator[str]:
    """Run an Alertmanager; gives its host and port."""
    config = folder / "alertmanager.yml"
    config.write_text(json.dumps(settings), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    options = (
        f"--config.file={config}", f"--storage.path={folder / 'alerts'}", f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )  # fmt: skip
    async with _running(program, *options):
        yield address


def alertmanager_program() -> str | None:
    """Find it, under Debian's name or its own."""
    return shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@asynccontextmanager
async def _running(program: str, *options: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        program, *options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
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
