"""DNS messages as bytes: reading queries and replies, making replies."""
