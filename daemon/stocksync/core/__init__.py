"""What it means: pure decisions, values in and values out; no clock, randomness, logging or I/O."""
