"""State and target in memory, held to the contracts of the real ones: for tests and simulations."""

from stocksync.memory.state import MemoryState
from stocksync.memory.store import MemoryCell, MemoryStore
from stocksync.memory.target import MemoryRow, MemoryTable, MemoryTarget

__all__ = ["MemoryCell", "MemoryRow", "MemoryState", "MemoryStore", "MemoryTable", "MemoryTarget"]
