"""EdgeMesh's proxy: what comes for a service goes to its pods, as HTTP requests, as bytes or as datagrams."""
