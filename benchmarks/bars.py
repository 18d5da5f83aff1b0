"""What is promised of a workload, and whether it holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """A value that was measured, and the most that it may be."""

    what: str
    value: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether it is within the bar."""
        return self.value <= self.most

    def __str__(self) -> str:
        """As a line for people."""
        return f"{'holds' if self.holds else 'FAILS'}   {self.what}: {self.value:.2f} (bar: {self.most:g})"
