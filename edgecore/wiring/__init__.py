"""How each module is made from the configuration: the larger part of the composition root, one file a module."""
