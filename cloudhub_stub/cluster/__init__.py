"""The small Kubernetes cluster behind the stub: its kinds, its objects, and the rules by which they change (pure)."""
