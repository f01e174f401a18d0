"""How edges join: the CA, tokens, the https listener and the TLS of the link."""
