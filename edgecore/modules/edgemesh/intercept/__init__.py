"""How traffic for a fake IP reaches the proxy: rootless listeners, and who may use which pool of addresses."""
