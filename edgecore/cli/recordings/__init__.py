"""The verbs of ``edgecore recording``."""
