"""What an integrator's client does: asks for pages and products, and looks at what came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession

from stocksync.simulator.server import API_KEY, Simulator

KEY: Mapping[str, str] = {"API-KEY": API_KEY}


@dataclass
class Got:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def ids(self) -> list[int]:
        return [row["id"] for row in self.json["products"]]


@dataclass
class Visitor:
    session: ClientSession
    sim: Simulator
    headers: Mapping[str, str] = field(default_factory=lambda: KEY)

    async def ask(self, path: str, method: str = "GET", **options: Any) -> Got:
        options.setdefault("headers", self.headers)
        url = path if path.startswith("http") else self.sim.url + path
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            return Got(response.status, await response.text(), response.headers)

    async def page(self, number: int = 1, **params: Any) -> Got:
        asked = {"page": str(number), "per_page": "100", "q[s]": "id asc", **params}
        return await self.ask("/products", params=asked)

    async def product(self, identity: int) -> Got:
        return await self.ask(f"/products/{identity}")

    async def direct(self, method: str, path: str, body: object = None) -> Got:
        return await self.ask(f"{self.sim.root}/_sim/{path}", method, headers={}, json=body)
