"""The ``simulated`` pod runtime: containers that only change their state, as scripts in annotations say."""
