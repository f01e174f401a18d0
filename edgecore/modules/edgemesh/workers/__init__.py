"""Processes beside the node that serve at its addresses: started, told, heard, and started again when they end."""
