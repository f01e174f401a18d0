"""What each node is to have of the cluster, what was sent of it, and what the node has acknowledged."""
