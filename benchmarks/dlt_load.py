"""The same poll and merge by dlt, in a Python of its own: reads every page, and merges every row into PostgreSQL.

python dlt_load.py URL KEY PAGES postgresql://… FOLDER      prints seconds and peak memory in MiB, as JSON
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def main(url: str, key: str, pages: int, target: str, folder: str) -> None:
    """Run one load."""
    os.environ |= {
        "RUNTIME__LOG_LEVEL": "ERROR",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DESTINATION__POSTGRES__CREDENTIALS": target,
    }
    import dlt  # noqa: PLC0415  it reads its settings when it is imported
    import requests  # noqa: PLC0415  its own dependency

    session = requests.Session()

    def page(number: int) -> list[dict[str, Any]]:
        wanted = {"page": str(number), "per_page": "100", "q[s]": "id asc"}
        answer = session.get(f"{url}/products", params=wanted, headers={"API-KEY": key}, timeout=60)
        answer.raise_for_status()
        return [
            {"product_id": one["id"], "location_id": str(at["id"]), "sku": one["sku"], "quantity": str(at["stock"])}
            for one in answer.json()["products"]
            for at in one["inventories"]
        ]

    @dlt.resource(name="stock", write_disposition="merge", primary_key=("product_id", "location_id"))
    def stock() -> Iterator[list[dict[str, Any]]]:
        with ThreadPoolExecutor(4) as pool:
            yield from pool.map(page, range(1, pages + 1))

    started = time.perf_counter()
    dlt.pipeline("bench", destination="postgres", dataset_name="bench", pipelines_dir=folder).run(stock())
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
