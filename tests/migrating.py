"""Migrates a state database for a fixture, whatever loop runs already."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from stocksync.state.migrate import migrate


def migrate_now(url: str) -> None:
    """Bring it to the newest schema; in a thread, as the test that asks for it may be inside a running loop."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(migrate(url))).result()
