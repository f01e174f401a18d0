"""Where clients come in: who accepts, which service is meant, and who takes a connection on."""
