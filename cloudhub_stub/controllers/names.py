"""The names of the controllers, by which they are turned off, and how long a silent node is waited for."""

DEPLOYMENTS = "deployments"
SCHEDULER = "scheduler"
ENDPOINTS = "endpoints"
NODES = "nodes"
PODGC = "podgc"
DEVICE_PROFILES = "deviceprofiles"
CONTROLLERS = (DEPLOYMENTS, SCHEDULER, ENDPOINTS, NODES, PODGC, DEVICE_PROFILES)

NODE_GRACE_S = 40.0
"""How long a node may post no status before it is lost (kube-controller-manager ``--node-monitor-grace-period``)."""
