"""Playing a recording to a node of its own, and asking what it did (``docs/how-to/replay.md``)."""
