"""Where clients come in: an address and port, which service is meant there, and who leaves where there are too many."""
