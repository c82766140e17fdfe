"""`orion users`: the password is said once, and the command that hears the answers holds none."""

from tests.orion.installation import Installation


def test_a_user_is_added_listed_changed_and_removed(installation: Installation) -> None:
    made = installation.data("users", "add", "mia", "--role", "operator")
    rotated = installation.data("users", "rotate", "mia")
    changed = installation.data("users", "role", "mia", "--role", "viewer")
    listed = installation.data("users", "list")
    removed = installation.data("users", "remove", "mia")

    passwords = {each["mqtt"]["password"] for each in (made, rotated, changed)}
    assert len(passwords) == 3
    assert [(each["username"], each["role"]) for each in listed["items"]] == [
        ("admin", "admin"),
        ("mia", "viewer"),
    ]
    assert not any(password in str(listed) for password in passwords)
    assert removed == {"username": "mia", "removed": True}
    assert [each["username"] for each in installation.data("users", "list")["items"]] == ["admin"]


def test_a_person_is_shown_how_to_hear_the_answers_without_the_password_in_it(
    installation: Installation,
) -> None:
    done = installation.orion("users", "add", "otto", "--role", "viewer")
    installation.data("users", "remove", "otto")

    (line,) = [each for each in done.stdout.splitlines() if each.startswith("mosquitto_sub")]
    assert line.endswith("orion/v1/users/otto/response")
    assert "-P" not in line.split()
    assert "password" in done.stdout


def test_a_person_is_told_that_the_password_is_the_brokers_and_how_to_sign_in(
    installation: Installation,
) -> None:
    added = installation.orion("users", "add", "eve", "--role", "viewer")
    once = "orion users password eve --once"
    assert f"It is for MQTT alone. To sign in (orion login): {once}" in added.stderr

    installation.data("users", "password", "eve", "--once")
    changed = installation.orion("users", "role", "eve", "--role", "operator")
    assert "The password that eve signs in with is another one, and stays." in changed.stderr
    assert once not in changed.stderr
    installation.data("users", "remove", "eve")

    made = installation.data("users", "add", "eve", "--role", "viewer")
    hub = installation.data("users", "add", "hub", "--role", "home_assistant")
    for name in ("eve", "hub"):
        installation.data("users", "remove", name)
    assert made["sign_in"] == once
    assert "sign_in" not in hub


def test_a_reserved_name_is_denied(installation: Installation) -> None:
    refused = installation.data("users", "add", "admin", "--role", "viewer", exit_code=3)

    assert refused["error"]["code"] == "permission_denied"
