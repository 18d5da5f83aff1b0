"""What may go wrong in one seeded world, and how often: each seed draws its own, so that no two worlds are alike."""

from dataclasses import dataclass
from random import Random

FAULTS = (
    "page-1=500x3", "page-2=503x9", "all=502x4", "page-2=reset", "all=timeoutx2", "page-2=truncate", "page-1=html",
    "all=429x3:retry=5", "all=401x4", "list=repeat-page-1x3", "list=no-pagination", "list=clamp-2", "page-2=404x2",
    "list=nothingx2", "list=halvex6", "page-1=half-json", "page-1=stringx2", "location-2=vanish",
    "all=bad-stock:null", "list=no-movementsx5", "page-1=no-inventoriesx4", "page-2=copy-page-1x3", "list=mass-zerox4",
    "product-4=lie-stockx8", "product-8=lie-stockx8",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances, each of one opportunity: a commit, a call of a port, a look at the world."""

    faults: tuple[str, ...]
    """Of the API; those that this world knows."""
    crash: float
    """At each commit point."""
    crash_in_writing: float
    """At the commit points between target and acknowledgement, where a promise is hardest to keep."""
    freeze: float
    """At each call of a port."""
    slow_commit: float
    """That a transaction idles between its fence and its commit."""
    outage: float
    """That a database call fails before it did anything."""
    lost_answer: float
    """That a commit is done and its answer never comes."""
    shared: bool
    """State and target are one database."""
    meddled: bool
    """People edit the target; only then is drift healed, as healing would hide what writing got wrong."""
    by_sku: bool
    minimum_cells: int
    """Of the guards: above the catalogue's cells they never hold."""
    cross_check: int
    """Products that a cycle asks for by id."""
    wipes: float
    """That the business zeroes, or deletes, half of its catalogue at once."""


def draw(random: Random) -> Weather:
    """Draw the weather of a world."""
    guarded = random.random() < 0.5
    faults = random.sample(FAULTS, random.randint(1, len(FAULTS)))
    return Weather(
        faults=tuple(faults),
        crash=random.choice([0, 0.005, 0.01, 0.02]),
        crash_in_writing=random.choice([0, 0.05, 0.1, 0.2]),
        freeze=random.choice([0, 0.002, 0.004, 0.008]),
        slow_commit=random.choice([0, 0.05, 0.2]),
        outage=random.choice([0, 0, 0.004, 0.02]),
        lost_answer=random.choice([0, 0, 0.01, 0.05]),
        shared=random.random() < 0.3,
        meddled=random.random() < 0.5,
        by_sku=random.random() < 0.3,
        minimum_cells=random.randint(0, 6) if guarded else 10_000,
        cross_check=random.choice([1, 1, 4]),
        wipes=random.choice([0.1, 0.25]) if guarded else 0.0,
    )
