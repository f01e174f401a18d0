"""What is on its way to the nodes, and what came from them: queues over the disk, and the journal."""
