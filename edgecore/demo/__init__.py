"""The demonstration: one service, from the cloud to a curl, on real recorded input, each step shown and checked."""
