"""What follows from the state of the cluster: each controller says what is to be written (pure)."""
