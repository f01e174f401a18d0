"""How traffic for a fake IP reaches the proxy: rootless listeners, or rules of the kernel; who may use which pool."""
