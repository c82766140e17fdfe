"""Whoever asks too often waits as long as they are told, and not for ever."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orion.client import Client, Refused
from orion.client.patience import Patience
from tests.orion.answering import Answers, a_token, listening
from tests.orion.installation import running

BUSY = 429, b'{"code": "rate_limited", "detail": "Too many requests."}'


class Busy(Answers):
    """A controller that is asked too often, at first."""

    refused = 0
    at_first = 2

    def answer(self) -> None:
        if self.refused < self.at_first:
            type(self).refused += 1
            self.say(*BUSY)
        else:
            super().answer()


def busy(retry_after: str) -> type[Busy]:
    class Here(Busy):
        """One of its own for each test."""

    Here.more = {"Retry-After": retry_after}
    return Here


@pytest.mark.parametrize(
    "ask",
    [
        lambda it: it.get("/devices"),
        lambda it: it.post("/commands", {}),
        lambda it: it.form("/auth/token", {}),
    ],
)
def test_a_request_that_came_too_often_is_repeated_when_it_is_time(
    tmp_path: Path, ask: Callable[[Client], object]
) -> None:
    answers = busy("0")
    with listening(answers) as port:
        ask(Client("127.0.0.1", port, a_token(tmp_path)))

    assert answers.asked == ["GET /api/v1/auth/proof", answers.asked[1]] * 3


def test_so_is_the_question_for_the_proof(tmp_path: Path) -> None:
    class Early(Busy):
        def prove(self, nonce: str) -> None:
            if self.refused < self.at_first:
                self.answer()
            else:
                super().prove(nonce)

    Early.more = {"Retry-After": "0"}
    with listening(Early) as port:
        Client("127.0.0.1", port, a_token(tmp_path)).get("/devices")

    assert Early.asked == ["GET /api/v1/auth/proof"] * 3 + ["GET /api/v1/devices"]


def test_whoever_is_to_wait_for_long_is_told_at_once(tmp_path: Path) -> None:
    answers = busy("21")
    with (
        listening(answers) as port,
        pytest.raises(
            Refused, match=r"Too many requests\. Given up; nothing was done\. Try again in 21 s"
        ) as error,
    ):
        Client("127.0.0.1", port, a_token(tmp_path)).get("/devices")

    assert error.value.code == "rate_limited"
    assert answers.refused == 1


def test_all_the_waits_of_one_request_have_one_end() -> None:
    waits: list[float] = []
    patience = Patience(waits.append)
    busy = Refused(429, "rate_limited", "Too many requests.", retry_after="7")

    patience.wait(busy)
    patience.wait(busy)
    with pytest.raises(Refused, match="Given up after waiting 14 s"):
        patience.wait(busy)

    assert waits == [7.0, 7.0]


@pytest.mark.parametrize("said", [None, "", "x", "-1", "1.5", "²", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_time_that_is_no_number_stands_for_a_moment(said: str | None) -> None:
    waits: list[float] = []

    Patience(waits.append).wait(Refused(429, "rate_limited", "Too many requests.", retry_after=said))

    assert waits == [1.0]


def test_a_number_without_end_is_no_time_to_wait_for() -> None:
    with pytest.raises(Refused, match="Given up"):
        Patience().wait(Refused(429, "rate_limited", "Too many requests.", retry_after="9" * 5_000))


def test_what_is_refused_for_another_reason_is_not_waited_for() -> None:
    with pytest.raises(Refused, match=r"^Away\.$"):
        Patience().wait(Refused(503, "internal", "Away.", retry_after="0"))


def test_more_than_a_controller_lets_somebody_ask_at_once_is_asked_in_time(tmp_path: Path) -> None:
    """Its bound for an address is ten times these; each request is two with its proof."""
    with running(tmp_path, "--no-node", ORION_API_RATE="5", ORION_API_BURST="5") as installation:
        client = Client(
            "127.0.0.1", installation.http_port, installation.home / "data" / "controller" / "token"
        )
        found = [client.get("/auth/me")["username"] for _ in range(60)]

    assert found == ["admin"] * 60
