"""Battery and temperatures, where the device has sensors for them."""

import psutil

MAX_TEMPERATURES = 32
COLDEST = -273.15  # °C


def battery_percent() -> float | None:
    """How full the battery is; None without one."""
    battery = psutil.sensors_battery()
    return None if battery is None else min(100.0, max(0.0, round(battery.percent, 1)))


def temperatures() -> dict[str, float] | None:
    """Degrees Celsius by chip and label; not every system has them."""
    read = getattr(psutil, "sensors_temperatures", None)
    if read is None:
        return None
    found: dict[str, float] = {}
    for chip, sensors in read().items():
        for number, sensor in enumerate(sensors):
            name = f"{chip}/{sensor.label or number}"
            if sensor.current is not None and sensor.current >= COLDEST and len(found) < MAX_TEMPERATURES:
                found[name] = round(sensor.current, 1)
    return found or None
