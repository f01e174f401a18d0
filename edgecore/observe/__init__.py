"""Observe: what one process says about itself: logs, metrics, health."""
