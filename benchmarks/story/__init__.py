"""All benchmarks as one: which there are, running them, where that was, and the page that tells it."""
