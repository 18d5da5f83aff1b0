"""The same on many machines: Temporal says who polls what and when."""
