"""MetaManager keeps the node's metadata, so that the node works while the cloud is away."""
