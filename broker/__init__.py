"""Mosquitto, configured and supervised, and the one MQTT 5 session that the programs share."""
