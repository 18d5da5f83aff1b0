"""A Qoyod to try it against, faults included."""

API_KEY = "sim-key"
"""The key that it accepts where none is given."""
