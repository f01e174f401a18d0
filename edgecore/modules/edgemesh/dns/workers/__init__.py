"""More processes that answer, each told of every change of the names."""
