"""What keeps the project in order beside its tests: programs that `make` runs; nothing of them is installed."""
