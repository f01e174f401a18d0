"""Recordings: what an entry is, its line, reading and writing files (``docs/reference/recording-format.md``)."""
