"""What a cycle has to think about: every row that was not recognised, and every product that one of those may touch."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from stocksync.core.catalogue import Catalogue, Recognised
from stocksync.core.desired_state import cells_by_product
from stocksync.core.first_contact import corrected
from stocksync.core.model import Product, Reading, SettledProduct
from stocksync.core.recognition import rebuilt, rules_digest
from stocksync.ports import Lease, Snapshot
from stocksync.run.account import Account
from stocksync.run.target_identity import contradictions, snapshot_of
from stocksync.threads import off_loop


@dataclass(frozen=True, slots=True)
class Focus:
    """What a cycle thinks about, and the counts of what it need not."""

    reading: Reading
    snapshot: Snapshot
    catalogue: Catalogue
    rules: bytes = b""
    """The rules digest as it is now; empty where nothing is to be settled."""
    left_out: Recognised = field(default_factory=Recognised)
    settled: Mapping[int, SettledProduct] = field(default_factory=dict)
    """What those of its products are settled with that are looked at although they are."""

    @property
    def rows(self) -> int:
        """How many rows those functions go over that go over all of it."""
        return len(self.snapshot.cells) + len(self.reading.products)

    @property
    def unsettled(self) -> set[int]:
        """Products that are looked at although they were settled: until they are settled again, they are not."""
        return {key for key in self.reading.products if key in self.settled}


async def catalogue_of(account: Account, *, full: bool) -> Catalogue:
    """Load the digests that the next reading may trust; with `full` none of them."""
    if account.siblings:  # they write to the same rows, whatever ours show
        return Catalogue(b"", {})
    catalogue = await account.state.catalogue(account.name)
    if full or not catalogue.rules.startswith(_configured(account)):
        return replace(catalogue, again=frozenset(catalogue.known))
    settings = account.settings
    now, known = account.clock.now(), len(catalogue.known)
    again = await off_loop(known, catalogue.due_again, now, settings.interval, settings.cross_check)
    return replace(catalogue, again=again)


async def in_focus(
    account: Account, lease: Lease | None, reading: Reading, catalogue: Catalogue, *, confirm: bool
) -> Focus:
    """Load what is known of the products that need thought; what else they may touch comes back as if it were read.

    With `confirm` those need it too whose live rows are not what was acknowledged.
    """
    rules = await rules_of(account)
    whole = not reading.recognised or rules != catalogue.rules
    ids = None if whole else await off_loop(len(catalogue.known), catalogue.in_focus, reading)
    snapshot = await snapshot_of(account, lease, None if ids is None else sorted(ids | {0}))
    compared = confirm and not snapshot.met_anew
    if compared and (found := await contradictions(account, catalogue, snapshot if whole else None)):
        snapshot = await _loaded_with(account, snapshot, {cell.product_id for cell in found})
        cells = await off_loop(len(snapshot.cells), corrected, snapshot.cells, found)
        snapshot = replace(snapshot, cells=cells, corrected=found)
    if not whole and await _finds_by_sku(account):  # a row may be another product's too
        size = len(snapshot.cells) + len(reading.products)
        skus = await off_loop(size, skus_of, reading.products.values(), snapshot)
        snapshot = await _loaded_with(account, snapshot, await account.state.look_alikes(account.name, skus))
    return await _focus_on(reading, snapshot, catalogue, rules)


async def with_look_alikes_of(account: Account, focus: Focus, alive: Iterable[Product]) -> Focus:
    """Look also at those whose rows may be those of products that no list shows, and that are alive all the same."""
    skus = sorted({product.sku for product in alive} - {""})
    if not skus or not await _finds_by_sku(account):
        return focus
    ids = await account.state.look_alikes(account.name, skus)
    snapshot = await _loaded_with(account, focus.snapshot, ids)
    if snapshot is focus.snapshot:
        return focus
    return await _focus_on(focus.reading, snapshot, focus.catalogue, focus.rules)


async def _finds_by_sku(account: Account) -> bool:
    capabilities = await account.capabilities()
    return capabilities.by_sku or capabilities.loose


async def _loaded_with(account: Account, snapshot: Snapshot, product_ids: Collection[int]) -> Snapshot:
    others = set(product_ids) - snapshot.products.keys()
    if not others:
        return snapshot
    more = await snapshot_of(account, None, sorted(others))

    def both() -> Snapshot:
        return replace(
            snapshot,
            cells={**snapshot.cells, **more.cells},
            products={**snapshot.products, **more.products},
            quarantine={**snapshot.quarantine, **more.quarantine},
        )

    return await off_loop(len(snapshot.cells) + len(more.cells), both)


async def _focus_on(reading: Reading, snapshot: Snapshot, catalogue: Catalogue, rules: bytes) -> Focus:
    """Look at what was read, and at what was loaded: of that, what was recognised is as the snapshot has it."""

    def focus() -> Focus:
        read = _as_read(reading, {key for key in snapshot.products if key in reading.recognised}, snapshot)
        remembered = {key for key, product in read.products.items() if product.recognised}
        left_out = catalogue.left_out(read, snapshot.products, remembered)
        settled = catalogue.settled_with(snapshot.products.keys())
        return Focus(read, snapshot, catalogue, rules, left_out, settled)

    return await off_loop(len(catalogue.known) + len(snapshot.cells), focus)


async def rules_of(account: Account) -> bytes:
    """Give the rules digest as it is now; empty where no row is trusted, as others write to the same ones."""
    capabilities = replace(await account.capabilities(), notes=())
    return b"" if account.siblings else _configured(account) + rules_digest(capabilities)


def _configured(account: Account) -> bytes:
    """Digest the part of the rules that needs no look at the target: under another configuration no row is trusted."""
    policy = replace(account.rules.policy, scale=None)
    return rules_digest(replace(account.rules, policy=policy), account.target_id, account.settings.filter)


def skus_of(read: Iterable[Product], snapshot: Snapshot) -> list[str]:
    """Name every SKU under which one of these products' rows stands, or may stand."""
    skus = {product.sku for product in read} | {entry.sku for entry in snapshot.products.values()}
    skus |= {cell.sku for cell in snapshot.cells.values()}
    return sorted(skus - {""})


def _as_read(reading: Reading, chosen: AbstractSet[int], snapshot: Snapshot) -> Reading:
    if not chosen:
        return reading
    cells = cells_by_product(snapshot.cells)
    products = dict(reading.products)
    stands_on = {key: page for page, keys in reading.recognised_on.items() for key in keys if key in chosen}
    for product_id in chosen:
        remembered = (snapshot.cells[cell] for cell in cells.get(product_id, ()))
        entry = snapshot.products[product_id]
        entry = entry._replace(page=stands_on.get(product_id, entry.page))
        products[product_id] = rebuilt(product_id, entry, remembered, reading.started_at)
    return replace(reading, products=products, recognised=reading.recognised - chosen)
