"""The reference page of the metrics: `python -m stocksync.observe.reference > docs/metrics.md`."""

import sys

from stocksync.observe.declared import METRICS

_HEAD = """\
# Metrics

Generated from `daemon/stocksync/observe/declared.py` by `python -m stocksync.observe.reference`; do not edit.

Served at `/metrics` in the Prometheus text format, and in OpenMetrics where the scraper asks for it, together with
the usual `process_*` and `python_*` series. Instants are exported as Unix timestamps and PromQL subtracts
(`time() - stocksync_last_complete_cycle_timestamp_seconds`), so that a frozen exporter still ages. No label ever
holds a product or a SKU. An account that leaves the configuration takes its series with it.

Timestamps, held plans and drift come from the state database, so every process that shares it reports them, the
stand-by too; aggregate with `max by (account)`. What to do when one looks wrong: [runbook.md](runbook.md).

| metric | type | labels | meaning |
|---|---|---|---|
"""


def render() -> str:
    """Give the page as Markdown."""
    rows, buckets = "", ""
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows += f"| `{metric.full_name}` | {metric.kind} | {labels} | {metric.help} |\n"
        if metric.buckets:
            buckets += f"- `{metric.full_name}`: {', '.join(f'{bound:g}' for bound in metric.buckets)}\n"
    return f"{_HEAD}{rows}\n## Buckets (seconds)\n\n{buckets}"


if __name__ == "__main__":
    sys.stdout.write(render())
