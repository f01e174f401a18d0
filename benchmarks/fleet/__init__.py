"""The other processes of the benchmark ``nodes.py``: all the nodes, and a server to compare with."""
