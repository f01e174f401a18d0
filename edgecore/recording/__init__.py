"""The recording format, version 1: what an entry is, and reading files of them (``docs/recording-format.md``)."""
