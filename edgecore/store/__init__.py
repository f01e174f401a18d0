"""The node's one SQLite file and its one writer."""
