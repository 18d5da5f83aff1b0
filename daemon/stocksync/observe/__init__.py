"""How people see it: logs and metrics."""
