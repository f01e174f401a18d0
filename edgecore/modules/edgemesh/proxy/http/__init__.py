"""HTTP/1.0 and 1.1: requests read, forwarded, and their answers sent back."""
