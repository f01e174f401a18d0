"""Questions asked by hand, and why the answer is what it is."""
