"""The verbs of ``edgecore db``."""
