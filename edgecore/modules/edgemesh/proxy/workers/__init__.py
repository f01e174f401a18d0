"""More processes that forward, each told of every change of the ports."""
