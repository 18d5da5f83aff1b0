"""A catalogue behind the Transport protocol: pages, faults and changes, without sockets."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from qoyod_told import Told
from virtual_time import LoopClock

from stocksync.qoyod.budget import Budget
from stocksync.qoyod.client import QoyodSource
from stocksync.qoyod.credentials import KeyCredential
from stocksync.qoyod.settings import Filter, SourceSettings
from stocksync.qoyod.transport import Response

Fault = Callable[[Mapping[str, str]], Response | Exception | None]
JSON = {"content-type": "application/json"}


def row(product_id: int, stock: Any = "1.0", **more: Any) -> dict[str, Any]:
    return {
        "id": product_id,
        "sku": f"SKU-{product_id}",
        "name_en": f"Product {product_id}",
        "track_quantity": 1,
        "inventories": [{"id": 3, "name_en": "Main", "name_ar": "", "stock": stock}],
        **more,
    }


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    return Response(status, {**JSON, **headers}, json.dumps(value).encode())


class Catalogue:
    """Lists its rows as Qoyod does; `faults` may answer first, `between` runs before each answer."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = {each["id"]: each for each in rows}
        self.faults: list[Fault] = []
        self.between: Callable[[], None] = lambda: None
        self.asked: list[dict[str, str]] = []
        self.sent_headers: list[dict[str, str]] = []
        self.delay: Callable[[], float] = lambda: 0.0
        self.largest = 100

    async def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        self.asked.append({"path": path, **params})
        self.sent_headers.append(dict(headers))
        await asyncio.sleep(self.delay())
        self.between()
        for fault in self.faults:
            fate = fault({"path": path, **params})
            if isinstance(fate, Exception):
                raise fate
            if fate is not None:
                return fate
        response = self._answer(path, params)
        await asyncio.sleep(self.delay())
        return response

    def _answer(self, path: str, params: Mapping[str, str]) -> Response:
        if path == "/products":
            return self.list(params)
        if path == "/inventories":
            return answer({"inventories": [{"id": 3, "name": "Main", "ar_name": "x", "is_default": True}]})
        found = self.rows.get(int(path.rpartition("/")[2]))
        return answer({"product": found}) if found else answer("Product not found", 404)

    def list(self, params: Mapping[str, str]) -> Response:
        assert params["q[s]"] == "id asc"
        page, size = int(params["page"]), min(self.largest, int(params["per_page"]))
        rows = [self.rows[key] for key in sorted(self.rows) if self._fits(self.rows[key], params)]
        shown = rows[size * (page - 1) : size * page]
        if not shown:
            return answer("We found nothing", 404)
        return answer({"products": shown, "pagination": pagination(len(rows), page, size, len(shown))})

    @staticmethod
    def _fits(each: dict[str, Any], params: Mapping[str, str]) -> bool:
        return params.get("q[sku_eq]", each["sku"]) == each["sku"]

    def pages_asked(self) -> Counter[str]:
        return Counter(asked["page"] for asked in self.asked if "page" in asked)


def pagination(total: int, page: int, size: int, count: int) -> dict[str, Any]:
    last = max(1, -(-total // size))
    return {"count": count, "total": total, "perPage": str(size), "currentPage": str(page), "totalPages": last}


def source_over(
    transport: Any,
    *,
    told: Told | None = None,
    budget: Budget | None = None,
    credential: Any = None,
    seed: int = 1,
    only: Filter | None = None,
    **settings: Any,
) -> QoyodSource:
    clock = LoopClock()
    return QoyodSource(
        SourceSettings(account="main", filter=only or Filter(), **settings),
        transport,
        budget or Budget(100_000, clock),
        credential or KeyCredential("api_key", lambda: "key-1"),
        (told or Told()).hear,
        clock,
        Random(seed),
    )
