"""The metrics of a worker: counters over all accounts it happens to serve; how each stands, `serve` tells."""

from stocksync.observe.metrics import Metrics

_ALL = ""
"""An empty label is no label to Prometheus: the series stands for all accounts."""


class SummedMetrics(Metrics):
    """Counts what happens without telling accounts apart, so that ten thousand make no more series than one."""

    def _add(self, name: str, amount: float, account: str, *words: str) -> None:  # noqa: ARG002  summed
        if amount >= 0:
            self._series(name, _ALL, words).inc(amount)

    def _time(self, name: str, seconds: float, account: str, *words: str) -> None:  # noqa: ARG002  summed
        self._series(name, _ALL, words).observe(max(seconds, 0.0))

    def _set(self, name: str, value: float, account: str, *words: str) -> None:
        """Hold no figure of a single account."""
