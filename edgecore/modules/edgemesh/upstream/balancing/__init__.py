"""Strategies: which of several hosts the next request goes to (pure)."""
