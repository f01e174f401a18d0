"""The modules of the node: none imports another; they meet on the bus."""
