"""What stands in the target now, for people: a target that cannot be asked is no error of theirs."""

from collections.abc import Mapping

from stocksync.core.model import Cell, RowLocator, TargetRow
from stocksync.errors import StocksyncError
from stocksync.run.account import Account


async def read_live(account: Account, refs: list[RowLocator]) -> tuple[Mapping[Cell, TargetRow], str]:
    """Read cells from the target; with a remark instead of an error where it cannot be asked."""
    try:
        await account.capabilities()
        return await account.target.read(refs), ""
    except StocksyncError as error:
        account.forget_capabilities()
        return {}, f"the target cannot be asked: {error}"
