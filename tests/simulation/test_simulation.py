"""Thousands of lives of two daemons; and proof that the simulation would notice if we broke a promise."""

import os
import sys
import time
from decimal import Decimal

import pytest
import structlog
from memory_state import MemoryState
from world import run_seed

from stocksync.core import absence, desired_state
from stocksync.core.desired_state import DesiredCell
from stocksync.run import verification
from stocksync.run.writer import Writer

CHUNKS, SEEDS_PER_CHUNK = 12, 20
ENOUGH = 150
"""Seeds within which a broken promise must show."""


@pytest.fixture(autouse=True)
def _quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _unmeasured():
    # To note every line makes it four times slower and adds nothing; `no_cover` does not reach xdist's workers.
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def _live(seed):
    broken = run_seed(seed)
    assert not broken, f"seed {seed} (replay: STOCKSYNC_SEED={seed} pytest -k replay): {broken[:3]}"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_promise_is_broken(chunk):
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        _live(seed)


@pytest.mark.skipif("STOCKSYNC_SEED" not in os.environ, reason="replays the seed that STOCKSYNC_SEED names")
def test_replay():
    _live(int(os.environ["STOCKSYNC_SEED"]))


@pytest.mark.soak
def test_no_promise_is_broken_for_as_long_as_asked():
    until = time.monotonic() + float(os.environ.get("STOCKSYNC_SOAK_SECONDS", "600"))
    seed = int(os.environ.get("STOCKSYNC_SEED", "1000000"))
    while time.monotonic() < until:
        _live(seed)
        seed += 1


async def _forget(*_args: object) -> None:
    """Do nothing."""


def _snapshot_after_target_without_intents(monkeypatch):
    monkeypatch.setattr(MemoryState, "intend", _forget)


def _absence_as_zero(monkeypatch):
    derive = desired_state.desires_of

    def derive_zero(products, memory, rules):
        desires = derive(products, memory, rules)
        for cell in desires.unknown:
            desires.wants[cell] = DesiredCell(cell, memory[cell].sku, memory[cell].parts, Decimal(0))
        desires.unknown = []
        return desires

    monkeypatch.setattr("stocksync.run.prepare.desires_of", derive_zero)


def _no_fence(monkeypatch):
    monkeypatch.setattr(Writer, "_fence", _forget)


def _deletes_what_one_reading_lacks(monkeypatch):
    async def all_gone(asking, frames):
        asking.answers = {suspect: None for frame in frames for suspect in frame}

    monkeypatch.setattr(absence, "SUSPECT_AFTER", 1)
    monkeypatch.setattr(verification._Asking, "ask", all_gone)


@pytest.mark.parametrize(
    "break_it",
    [_snapshot_after_target_without_intents, _absence_as_zero, _no_fence, _deletes_what_one_reading_lacks],
)
def test_a_broken_promise_is_noticed(break_it, monkeypatch):
    break_it(monkeypatch)
    assert any(run_seed(seed) for seed in range(ENOUGH))
