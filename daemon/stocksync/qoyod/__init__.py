"""Where stock comes from: client, credentials, request budget, paging and wire types."""
