"""A message for whoever sits at the device; in the log where there is no desktop, and the result says so."""

import html
import logging
import os
import sys

from device_node.safety.errors import ToolError
from device_node.tools import programs
from device_node.tools.tool import Call, Result

logger = logging.getLogger(__name__)

_WITHIN = 10.0  # seconds
_APPLE_SCRIPT = """on run argv
  display notification (item 2 of argv) with title (item 1 of argv)
end run"""
# title and message come by the environment: no text from outside is ever part of a script
_POWERSHELL = """Add-Type -AssemblyName System.Windows.Forms, System.Drawing
$n = New-Object System.Windows.Forms.NotifyIcon
$n.Icon = [System.Drawing.SystemIcons]::Information
$n.Visible = $true
$n.ShowBalloonTip(5000, $env:NOTICE_TITLE, $env:NOTICE_TEXT, 'Info')
Start-Sleep -Seconds 6
$n.Dispose()"""


def notify(call: Call) -> Result:
    """Show a notification; `shown` is `desktop` or `log`."""
    title, message = call.text("title"), call.text("message")
    if call.dry_run:
        return {"would": f"Show the notification {title!r}.", "undo": False}
    if _on_desktop(call, title, message):
        return {"shown": "desktop"}
    logger.info("Notification: %r: %r", title, message)
    return {"shown": "log"}


def _on_desktop(call: Call, title: str, message: str) -> bool:
    extra: dict[str, str] = {}
    if sys.platform == "darwin":
        program = programs.find("osascript")
        argv = ["-e", _APPLE_SCRIPT, "--", title, message]
    elif sys.platform == "win32":
        program = programs.find("powershell")
        argv = ["-NoProfile", "-NonInteractive", "-Command", _POWERSHELL]
        extra = {"NOTICE_TITLE": title, "NOTICE_TEXT": message or " "}
    else:
        program = programs.find("notify-send") if os.environ.get("DBUS_SESSION_BUS_ADDRESS") else None
        # the body of a notification knows markup, so the text is escaped
        argv = ["--app-name=Orion", "--", title, html.escape(message, quote=False)]
    if program is None:
        return False
    try:
        return programs.run(call, [program, *argv], within_s=_WITHIN, extra=extra).exit_code == 0
    except ToolError:
        call.go_on()
        return False
