"""The bus as others see it on MQTT, and a guarded way in."""
