"""What a node keeps in its table ``meta``, for people: reading, choosing, comparing, checking and exporting rows; pure.

Rows come through a callable that executes a query: of the running node's store, or of a file.
"""
