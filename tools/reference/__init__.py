"""The pages of docs/reference and the manual pages that are written from the code: ``python -m tools.reference``."""
