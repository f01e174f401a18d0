"""Sockets: queries in, replies out; what clients may take."""
