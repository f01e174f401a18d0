"""The embedded broker: amqtt in a process of its own, which ends with the node."""
