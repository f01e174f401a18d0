"""What `benchmarks/mqtt.py`, `devices.py` and `pods.py` are made of: broker, node, peers, a program of devices."""
