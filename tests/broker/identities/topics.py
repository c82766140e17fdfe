"""Topics of two devices."""

A = "orion/v1/devices/a"
B = "orion/v1/devices/b"
