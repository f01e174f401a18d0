"""Connections that are forwarded as bytes: whatever they speak, each goes to one host for as long as it lasts."""
