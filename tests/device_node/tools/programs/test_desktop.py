"""A notification and a screenshot are made where there is a desktop, and elsewhere it is said."""

import logging
from pathlib import Path

import pytest

from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk
from tests.device_node.tools.programs.programs import programs_at


def test_without_a_desktop_a_notification_is_logged_and_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)

    with caplog.at_level(logging.INFO):
        assert desk.run("notify", title="Hallo", message="a\nb") == {"shown": "log"}

    assert "Notification: 'Hallo': 'a\\nb'" in caplog.messages


def test_on_a_desktop_a_notification_is_text_and_nothing_else(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    programs_at(tmp_path / "bin", monkeypatch, **{"notify-send": f'printf "%s\\n" "$@" > {said}'})
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")

    assert desk.run("notify", title="--help", message="<b>x</b>") == {"shown": "desktop"}

    assert said.read_text().splitlines() == ["--app-name=Orion", "--", "--help", "&lt;b&gt;x&lt;/b&gt;"]


def test_without_a_screen_there_is_no_screenshot(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    assert desk.fails("take_screenshot") == ErrorCode.NOT_SUPPORTED


def test_a_screenshot_is_made_smaller_until_it_fits(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as large as the quality says: only the third attempt fits
    script = 'for last; do :; done; head -c "$(($4 * 3500))" /dev/zero > "$last"'
    programs_at(tmp_path / "bin", monkeypatch, grim=script)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")

    result = desk.run("take_screenshot")

    assert (result["media_type"], result["size"]) == ("image/jpeg", 35 * 3500)
    assert list(desk.node.data_dir.iterdir()) == []


def test_a_screenshot_that_never_fits_tells_its_size(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs_at(
        tmp_path / "bin", monkeypatch, grim='for last; do :; done; head -c 200000 /dev/zero > "$last"'
    )
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")

    with pytest.raises(ToolError) as refused:
        desk.run("take_screenshot")

    assert refused.value.body().detail == {"size": 200_000, "limit": 131_072}
