"""Playing recordings to nodes."""
