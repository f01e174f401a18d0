"""The certificate of the node: how it is got, kept, renewed and used."""
