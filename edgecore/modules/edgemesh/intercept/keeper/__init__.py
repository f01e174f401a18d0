"""The process that holds the rules: they go when it goes, and it goes when the node does."""
