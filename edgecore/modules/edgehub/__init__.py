"""EdgeHub holds the websocket to the cloud."""
