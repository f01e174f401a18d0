"""Where the traffic of a port goes: the port as the mesh describes it, its hosts, their balancing and their health.

``spec`` and ``policy`` are values, made by the mesh and readable by other processes; ``Upstream`` and ``Host`` are what
a process that forwards traffic makes of them. Everything that forwards (HTTP, bytes, datagrams) asks an ``Upstream``.
"""
