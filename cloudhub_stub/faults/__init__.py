"""Faults on demand: what goes wrong on the link, when it is told to, and each time in the same way."""
