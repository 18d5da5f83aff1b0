"""A Qoyod to try it against, faults included."""
