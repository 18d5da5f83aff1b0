"""Seeds a believable catalogue; the same seed always gives the same one."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from stocksync.simulator.goods import DIVISIBLE, GOODS, SERVICES, VARIANTS, Good, place
from stocksync.simulator.items import Item, Location, Mix

_OPENED = datetime(2023, 3, 1, 8, tzinfo=UTC)
_DIGITS_ONLY = 0.1
_LATER_EDITED = 0.75


def places(count: int) -> list[Location]:
    """Make `count` locations; the first is the default one, and ids have gaps."""
    return [Location(1 + 2 * index, *place(index), default=index == 0) for index in range(count)]


def items(count: int, locations: Sequence[int], seed: int | str, mix: Mix) -> Iterator[Item]:
    """Make `count` products in ascending id order, with gaps between the ids."""
    random = Random(f"catalogue {seed}")  # noqa: S311 - a rehearsal needs repeatable, not secret
    identity = random.randint(3, 12)
    for index in range(count):
        service = random.random() < mix.services
        good = random.choice(SERVICES if service else GOODS)
        english, arabic = random.choice(VARIANTS)
        created = _OPENED + timedelta(minutes=random.randint(0, 1_300_000))
        edited = created + timedelta(minutes=random.randint(1, 90_000) if random.random() < _LATER_EDITED else 0)
        yield Item(
            id=identity,
            # Digits with leading zeros are what a spreadsheet or an integer column would spoil.
            sku=f"{index:06d}" if random.random() < _DIGITS_ONLY else f"{good.prefix}-{index:05d}",
            english=f"{good.english} {english} {index}",
            arabic=f"{good.arabic} {arabic} {index}",
            category_id=good.category,
            unit=good.unit,
            price=Decimal(good.price * random.randint(70, 160)) / 100,
            tracked=not service,
            stock={} if service else _stock(random, good, locations, mix),
            created=_stamp(created),
            updated=_stamp(edited),
        )
        identity += 1 if random.random() < 0.85 else random.randint(2, 9)  # noqa: PLR2004 - the gaps of deleted ones


def _stock(random: Random, good: Good, locations: Sequence[int], mix: Mix) -> dict[int, Decimal]:
    if random.random() < mix.without_movement:
        return {}
    everywhere = random.random() < mix.everywhere
    found = locations if everywhere else sorted(random.sample(locations, random.randint(1, len(locations))))
    stock = dict.fromkeys(found, Decimal(0))
    for location in found:
        lot = random.random()
        if lot < mix.empty:
            continue
        figure = Decimal(random.randint(1, 400))
        if good.unit in DIVISIBLE:
            figure += Decimal(random.randint(0, 9_999)) / 10_000
        stock[location] = -figure if lot > 1 - mix.negative else figure
    return stock


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
