"""The HTTP server: metrics, probes, the interface for machines and the status page."""
