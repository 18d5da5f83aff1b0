"""How people see it: logs, metrics and the HTTP server with its status page."""
