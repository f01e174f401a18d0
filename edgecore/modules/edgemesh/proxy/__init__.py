"""EdgeMesh's HTTP/1.0 and 1.1 reverse proxy: requests to a service go to its pods, one by one, streaming both ways."""
