"""Keeps the stock quantities of an integrated system equal to those in Qoyod."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("stocksync")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
