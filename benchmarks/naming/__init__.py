"""What `benchmarks/dns.py` is made of: our node, the peer, the load, the zone outside, the check of answers."""
