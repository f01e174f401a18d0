"""All other names: the cache, and the upstream servers."""
