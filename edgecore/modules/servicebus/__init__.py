"""ServiceBus: HTTP calls from the cloud to services on this machine."""
