"""The lab: edge nodes and a cloud on a network of their own inside this machine, and the guide of EdgeMesh on them."""
