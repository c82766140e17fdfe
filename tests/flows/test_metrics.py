"""What a monitor sees of an installation at work: a sentence, a model, a command, its reply."""

from pathlib import Path

from controller.settings import ModelSettings
from tests import fakes
from tests.broker.running import RunningBroker
from tests.flows.installation import installation, running_node
from tests.scraped import scraped, value


async def test_a_sentence_leaves_its_traces_in_every_figure(broker: RunningBroker, tmp_path: Path) -> None:
    script = [
        fakes.calls(("create_directory", {"path": "Test", "device_id": "laptop"})),
        fakes.says("The folder is there."),
    ]
    with fakes.ScriptedOllama(*script) as ollama:
        model = ModelSettings(host=ollama.url, name=fakes.MODEL)
        async with (
            installation(broker, tmp_path, model=model) as orion,
            running_node(orion, tmp_path / "laptop", name="Laptop"),
        ):
            _, report = await orion.ask("Make a folder Test on my laptop")
            assert report["calls"][0]["status"] == "succeeded"
            answer = await orion.http.get(orion.http.base_url.copy_with(path="/metrics"))

    samples = scraped(answer.text)
    assert value(samples, "commands_total", status="succeeded") == 1
    assert value(samples, "command_duration_seconds_count", tool="create_directory") == 1
    assert value(samples, "mqtt_messages_total", direction="out", kind="command") == 1
    assert value(samples, "mqtt_messages_total", direction="in", kind="reply") >= 1
    assert value(samples, "mqtt_messages_total", direction="in", kind="presence") >= 1
    assert value(samples, "mqtt_messages_total", direction="out", kind="ack") >= 1
    assert value(samples, "mqtt_ingest_lag_seconds_count") >= 1
    assert value(samples, "llm_requests_total", outcome="answered") == len(script)
    assert value(samples, "devices", state="online") == 1
    assert value(samples, "mqtt_connected") == 1
    assert value(samples, "process_resident_memory_bytes") > 0
    assert value(samples, "http_requests_total", method="POST", route="/api/v1/ask", status="200") == 1
