"""What `benchmarks/proxy.py` is made of: our node, the peers with their configurations, the origin, the loads."""
