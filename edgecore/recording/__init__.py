"""Recordings: what an entry is, its line, reading and writing files of them (``docs/recording-format.md``)."""
