"""The access log: what is told of each request, the lines, the file."""
