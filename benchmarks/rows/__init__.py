"""What benchmarks share: how figures are told, what the cloud sends; and the parts of ``metamanager.py``."""
