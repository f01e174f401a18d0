"""The modules of the node. None imports another; they meet on the bus."""
