"""A picture of the screen as JPEG, made smaller until it can travel.

The picture passes through a file in the node's own folder, which is removed at once.
"""

import base64
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from device_node.safety.errors import ToolError
from device_node.tools import programs
from device_node.tools.tool import Call, Result
from schemas.builtin import MAX_TEXT_BYTES
from schemas.errors import ErrorCode

_WITHIN = 10.0  # seconds
_SIZES = ((1600, 60), (1280, 45), (960, 35), (640, 30))  # width in pixels, quality in percent

# the path, width and quality come by the environment: a script is the same whatever they are
_POWERSHELL = """Add-Type -AssemblyName System.Windows.Forms, System.Drawing
$b = [System.Windows.Forms.SystemInformation]::VirtualScreen
$s = New-Object System.Drawing.Bitmap $b.Width, $b.Height
$g = [System.Drawing.Graphics]::FromImage($s)
$g.CopyFromScreen($b.Location, [System.Drawing.Point]::Empty, $b.Size)
$w = [Math]::Min([int]$env:SHOT_WIDTH, $b.Width)
$r = New-Object System.Drawing.Bitmap $s, $w, ([int]($b.Height * $w / $b.Width))
$e = [System.Drawing.Imaging.ImageCodecInfo]::GetImageEncoders() | Where-Object MimeType -eq 'image/jpeg'
$p = New-Object System.Drawing.Imaging.EncoderParameters 1
$q = [System.Drawing.Imaging.Encoder]::Quality
$p.Param[0] = New-Object System.Drawing.Imaging.EncoderParameter $q, ([long]$env:SHOT_QUALITY)
$r.Save($env:SHOT_PATH, $e, $p)"""

Shoot = Callable[[Call, Path, int, int], None]


def take_screenshot(call: Call) -> Result:
    """The screen as it is now; `not_supported` where there is none."""
    shoot = _way()
    if call.dry_run:
        return {"would": "Take a picture of the screen."}
    size = 0
    call.node.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=call.node.data_dir, prefix="screen-") as folder:
        for width, quality in _SIZES:
            picture = Path(folder) / f"{width}.jpg"
            shoot(call, picture, width, quality)
            if not picture.exists():
                raise ToolError(ErrorCode.NOT_SUPPORTED, "The screen could not be taken.")
            size = picture.stat().st_size
            if size <= MAX_TEXT_BYTES:
                data = base64.b64encode(picture.read_bytes()).decode("ascii")
                return {"encoding": "base64", "media_type": "image/jpeg", "size": size, "content": data}
    raise ToolError(
        ErrorCode.PAYLOAD_TOO_LARGE,
        f"The picture is {size} bytes; at most {MAX_TEXT_BYTES} can travel.",
        {"size": size, "limit": MAX_TEXT_BYTES},
    )


def _way() -> Shoot:
    if sys.platform == "win32":
        return _windows
    if sys.platform == "darwin":
        return _macos
    if os.environ.get("WAYLAND_DISPLAY") and programs.find("grim"):
        return _grim
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ToolError(ErrorCode.NOT_SUPPORTED, "This device has no screen that the node can see.")
    if programs.find("import") and os.environ.get("DISPLAY"):
        return _imagemagick
    if programs.find("scrot") and os.environ.get("DISPLAY"):
        return _scrot
    raise ToolError(ErrorCode.NOT_SUPPORTED, "This device has none of grim, scrot or ImageMagick.")


def _run(call: Call, *argv: str, **extra: str) -> None:
    output = programs.run(call, argv, within_s=_WITHIN, extra=extra)
    if output.exit_code != 0:
        raise ToolError(
            ErrorCode.NOT_SUPPORTED, f"The screen could not be taken: {output.stderr.strip()[:200]}"
        )


def _grim(call: Call, picture: Path, width: int, quality: int) -> None:
    scale = f"{width / 1920:.2f}"
    _run(call, programs.need("grim"), "-t", "jpeg", "-q", str(quality), "-s", scale, str(picture))


def _imagemagick(call: Call, picture: Path, width: int, quality: int) -> None:
    window = ("-window", "root", "-resize", f"{width}x>", "-quality", str(quality))
    _run(call, programs.need("import"), "-silent", *window, str(picture))


def _scrot(call: Call, picture: Path, width: int, quality: int) -> None:
    # scrot cannot scale: quality has to do it
    _run(call, programs.need("scrot"), "--silent", "--quality", str(quality * width // 1600), str(picture))


def _macos(call: Call, picture: Path, width: int, quality: int) -> None:
    _run(call, programs.need("screencapture"), "-x", "-t", "jpg", str(picture))
    setting = ("-s", "formatOptions", str(quality), "--resampleWidth", str(width))
    _run(call, programs.need("sips"), *setting, str(picture))


def _windows(call: Call, picture: Path, width: int, quality: int) -> None:
    shell = (programs.need("powershell"), "-NoProfile", "-NonInteractive", "-Command", _POWERSHELL)
    _run(call, *shell, SHOT_PATH=str(picture), SHOT_WIDTH=str(width), SHOT_QUALITY=str(quality))
