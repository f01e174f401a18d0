"""EdgeMesh's DNS server: cluster names are answered here, every other name is forwarded."""
