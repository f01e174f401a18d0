"""What the fields of each kind must be: tables of checks, one file for what belongs together (pure)."""
