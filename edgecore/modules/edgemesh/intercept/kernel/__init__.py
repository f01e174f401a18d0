"""The kernel as data plane: services whose bytes never enter Python."""
