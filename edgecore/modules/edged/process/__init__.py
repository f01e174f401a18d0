"""The ``process`` pod runtime: a container's command runs as a process of this machine."""
