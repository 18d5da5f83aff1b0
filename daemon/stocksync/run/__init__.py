"""When it happens: the cycle, the audit, look-ups, and the service that triggers and drains them."""
