"""EventBus: the bridge between MQTT and the bus."""
