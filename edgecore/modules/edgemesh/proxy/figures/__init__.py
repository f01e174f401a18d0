"""What is counted: values that can be added up over processes, and what Prometheus is told."""
