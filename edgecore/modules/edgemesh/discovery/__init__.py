"""Which backends a port of a service has: its pods, or the addresses of its Endpoints (pure)."""
