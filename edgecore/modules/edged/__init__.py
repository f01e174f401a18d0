"""Edged speaks for the node: it registers it and posts its status; it runs no pods yet."""
