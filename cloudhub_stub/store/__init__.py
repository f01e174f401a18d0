"""What the stub keeps on disk."""
