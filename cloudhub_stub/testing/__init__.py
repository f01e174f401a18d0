"""For tests: a cloud and its edges as processes on free ports, driven from Python (``docs/how-to/testing.md``)."""
