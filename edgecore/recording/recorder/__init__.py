"""Recording a running node: what its parts show becomes entries, in a file that a process of its own writes."""
