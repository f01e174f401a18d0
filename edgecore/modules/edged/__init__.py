"""Edged speaks for the node: it registers it and posts its status. It runs no pods yet."""
