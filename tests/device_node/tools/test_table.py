"""What the table of tools promises of each of them."""

from device_node.tools import TOOLS


def test_only_what_merely_looks_may_run_again_after_a_crash() -> None:
    resumable = {name for name, tool in TOOLS.items() if tool.resumable}

    assert resumable
    for name in resumable:
        assert TOOLS[name].spec.hints.read_only, name
        assert TOOLS[name].spec.hints.idempotent, name
    assert {name for name, tool in TOOLS.items() if tool.spec.hints.read_only} - resumable == {
        "take_screenshot"  # another moment is another picture
    }
