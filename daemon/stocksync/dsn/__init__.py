"""Database URLs as hosts hand them out: understood, put to our drivers, or refused by name with the cure."""

from stocksync.dsn.address import DRIVERS, parse, same_database, shown
from stocksync.dsn.cures import cured
from stocksync.dsn.drivers import connect_args

__all__ = ["DRIVERS", "connect_args", "cured", "parse", "same_database", "shown"]
