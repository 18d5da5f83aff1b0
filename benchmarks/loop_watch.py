"""Sees when the event loop does not turn, and what it was doing meanwhile."""

import asyncio
import gc
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_LOOK_SECONDS = 0.005
_OURS = ("stocksync", "benchmarks")


@dataclass(slots=True)
class LoopWatch:
    """Measures from the loop itself; a thread looks at the loop's stack while it is blocked."""

    limit: float = 0.05
    """Seconds above which a block is noted with its culprit."""
    longest: float = 0.0
    """By the processor time of the loop's thread: other processes of the machine do not count."""
    collected: float = 0.0
    """The longest run of Python's cycle collector."""
    blocks: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Culprit to how often and for how long, at most, it blocked."""
    _turned: float = 0.0
    _culprit: str = ""

    @contextmanager
    def watching(self) -> Iterator["LoopWatch"]:
        """Watch the running loop until the block ends."""
        self._turned = time.perf_counter()
        beat = asyncio.create_task(self._beat())
        ended = threading.Event()
        thread = threading.Thread(target=self._look, args=(threading.get_ident(), ended), daemon=True)
        gc.callbacks.append(self._collecting)
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            beat.cancel()
            gc.callbacks.remove(self._collecting)

    def forget(self) -> None:
        """Begin a new measurement."""
        self.longest, self.collected = 0.0, 0.0
        self.blocks.clear()

    def lines(self) -> list[str]:
        """Say what was seen, the longest blocks first."""
        worst = sorted(self.blocks.items(), key=lambda item: -item[1][1])[:8]
        shown = [f"  {longest * 1000:6.0f} ms at most, {count} times: {where}" for where, (count, longest) in worst]
        collector = f"collector {self.collected * 1000:.0f} ms"
        return [f"longest block of the loop: {self.longest * 1000:.0f} ms ({collector})", *shown]

    async def _beat(self) -> None:
        while True:
            self._turned, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_LOOK_SECONDS)
            turned = min(time.perf_counter() - self._turned - _LOOK_SECONDS, time.thread_time() - worked)
            late = max(0.0, turned)
            self.longest = max(self.longest, late)
            if late > self.limit:
                count, longest = self.blocks.get(self._culprit, (0, 0.0))
                self.blocks[self._culprit] = count + 1, max(longest, late)
            self._culprit = ""

    def _look(self, loop_thread: int, ended: threading.Event) -> None:
        while not ended.wait(_LOOK_SECONDS):
            if time.perf_counter() - self._turned > self.limit * 0.7 and not self._culprit:
                self._culprit = _place(loop_thread)

    def _collecting(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collection_began = time.perf_counter()
        else:
            self.collected = max(self.collected, time.perf_counter() - self._collection_began)

    _collection_began: float = 0.0


def _place(thread: int) -> str:
    frame = sys._current_frames().get(thread)  # noqa: SLF001  the only way to look at another thread
    stack = traceback.extract_stack(frame) if frame else []
    ours = [one for one in stack if any(part in one.filename for part in _OURS)][-3:]
    where = " > ".join(f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in ours)
    last = stack[-1] if stack else None
    return where + (f" ({last.name})" if last is not None and last not in ours else "") or "between tasks"
