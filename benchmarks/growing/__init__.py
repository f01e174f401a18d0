"""More and more of something: services on a node, connections through its proxy, edges on a cloud."""
