"""Control: the Unix socket by which commands speak to a running process, and the frame of those commands."""
