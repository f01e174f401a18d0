"""Who accepts connections, and who takes each on."""
