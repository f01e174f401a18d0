"""Control: how commands speak to a running process, the frame of those commands, and how they print."""
