"""Example accounts and a running server."""

from example_accounts import ex, site

__all__ = ["ex", "site"]
