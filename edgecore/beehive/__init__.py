"""Beehive, the bus: the only road between modules."""
