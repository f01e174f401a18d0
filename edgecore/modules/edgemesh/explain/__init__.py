"""How a name, a URL or an address leads to a backend, step by step, and who says so (pure)."""
