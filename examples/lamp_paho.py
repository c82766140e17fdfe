"""A desk lamp by a third party, from docs/wire.md and paho-mqtt 2 (MQTT 5); README.md says how to run it."""
import json, os, re, signal, sys, time, uuid
from datetime import UTC, datetime
import paho.mqtt.client as mqtt
HOST, PORT, ME = sys.argv[1], int(sys.argv[2]), sys.argv[3]
D, FILE, BOOT, STARTED = f"orion/v1/devices/{ME}", f"{ME}-kept.json", str(uuid.uuid4()), time.monotonic()
TOOLS = [{"name": "light", "description": "Turns the lamp on or off.", "risk": "low",
          "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}},
         {"name": "state", "description": "Says whether it is on.", "risk": "low", "annotations": {"readOnlyHint": True},
          "parameters": {"type": "object", "additionalProperties": False}}]
FITS = {"light": lambda arguments: type(arguments.get("on")) is bool, "state": lambda arguments: not arguments}
NEEDED = {  # a message without these is dropped; what it has beside them is of a later version, and ignored
    "command": {"id": str, "tool": str, "arguments": dict, "issued_at": str, "expires_at": str,
                "timeout_s": (int, float), "reply_to": str, "requested_by": dict},
    "cancel": {"id": str, "command_id": str, "at": str, "expires_at": str}, "ack": {"at": str}}
AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")  # all times look like this, so they compare as text
# What outlives a power cut: of each id until when, to whom and what was answered; and what nobody has acked yet.
kept = json.load(open(FILE)) if os.path.exists(FILE) else {"on": False, "known": {}, "unacked": []}
inbox, born, seq, beat_at = [], False, 0, STARTED
def now(): return datetime.now(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
def told(**message): return json.dumps(message | {"at": now(), "boot_id": BOOT})
def keep():
    kept["known"] = {name: one for name, one in kept["known"].items() if one[0] > now()}
    with open(FILE + ".new", "w") as file: json.dump(kept, file), file.flush(), os.fsync(file.fileno())
    os.replace(FILE + ".new", FILE)  # the file is the old one or the new one, never half of one
def promise(name, topic, payload):  # what must arrive: it is sent again after each connect until an Ack names it
    kept["unacked"].append([name, topic, payload]), keep()
    if born: client.publish(topic, payload, 1)
def answer(name, reply_to, until, status, code=None, why=None, **more):
    more |= {"error": {"code": code, "message": why}} if code else {}
    kept["known"][name] = [until, reply_to, told(command_id=name, status=status, **more)]
    promise(name, *kept["known"][name][1:])

def command(said, deadline):
    asked = name, reply_to, until = said["id"], said["reply_to"], said["expires_at"]
    tool, known = said["tool"], kept["known"].get(name)
    if not re.fullmatch(D + r"/reply/[A-Za-z0-9_-]{1,64}", reply_to) or len(name) > 64: return  # nowhere to answer
    if known and known[2]: client.publish(reply_to, known[2], 1)  # it does not run twice
    elif known: answer(*asked, "cancelled", "cancelled", "It was cancelled before it came.")
    elif until <= now() or deadline <= time.monotonic(): answer(*asked, "expired", "expired", "It came too late.")
    elif tool not in FITS: answer(*asked, "rejected", "unknown_tool", "A lamp has no such tool.")
    elif not FITS[tool](said["arguments"]): answer(*asked, "rejected", "invalid_arguments", "`light` needs `on`.")
    elif said.get("dry_run"): answer(*asked, "rejected", "not_supported", "A lamp cannot say what it would do.")
    else:
        kept["known"][name] = [until, reply_to, 0]
        keep()  # before it begins: should the power fail now, the next life knows that it may have happened
        if tool == "light":
            kept["on"], event = said["arguments"]["on"], str(uuid.uuid4())  # here a real lamp switches its relay
            promise(event, f"{D}/event", told(id=event, type="switched", severity="info", data={"on": kept["on"]}))
        answer(*asked, "succeeded", result={"on": kept["on"], "uptime_s": time.monotonic() - STARTED})

def cancel(said, deadline):
    name, known = said["command_id"], kept["known"].get(said["command_id"])
    if known and known[2]: client.publish(known[1], known[2], 1)  # it ended before: its answer again
    elif said["expires_at"] > now() and deadline > time.monotonic(): kept["known"][name] = [said["expires_at"], 0, 0]
    keep()
def ack(said, deadline):
    done = {*said.get("replies", []), *said.get("events", []), *(one["id"] for one in said.get("refused", []))}
    kept["unacked"] = [one for one in kept["unacked"] if one[0] not in done]; keep()
def take(message, deadline):
    try:
        kind, said = message.topic[len(D) + 1:], json.loads(message.payload if len(message.payload) <= 262144 else b"")
        fits = all(isinstance(said[name], needed) for name, needed in NEEDED[kind].items())
        if fits and not message.retain and AT.fullmatch(said.get("expires_at", now())): globals()[kind](said, deadline)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError): print("Dropped one on", message.topic)

def on_connect(*_):  # Retain As Published, or else nobody tells that a command was retained: it would come for ever
    client.subscribe([(f"{D}/{kind}", mqtt.SubscribeOptions(1, False, True, 2)) for kind in NEEDED])
def on_subscribe(*_):
    global born
    born = client.publish(f"{D}/profile", told(device_id=ME, tools=TOOLS), 1, retain=True)
    client.publish(f"{D}/presence", told(state="online"), 1, retain=True)
    for _, topic, payload in kept["unacked"]: client.publish(topic, payload, 1)
def on_message(client, _, message):  # a property says what is left of its life
    inbox.append((message, time.monotonic() + getattr(message.properties, "MessageExpiryInterval", 1e9)))
for name, (until, reply_to, reply) in list(kept["known"].items()):
    if reply_to and not reply: answer(name, reply_to, until, "interrupted", "interrupted", "The power failed meanwhile.")
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
while True:
    born, client = False, mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, ME, protocol=mqtt.MQTTv5)
    will, session = mqtt.Properties(mqtt.PacketTypes.WILLMESSAGE), mqtt.Properties(mqtt.PacketTypes.CONNECT)
    will.WillDelayInterval, session.SessionExpiryInterval, session.ReceiveMaximum = 5, 7 * 86400, 20
    client.will_set(f"{D}/presence", told(state="offline", reason="connection_lost"), 1, True, will)
    client.username_pw_set(ME, os.environ["LAMP_PASSWORD"])
    if "LAMP_CA" in os.environ: client.tls_set(os.environ["LAMP_CA"])
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    try:
        client.connect(HOST, PORT, 30, clean_start=False, properties=session)
        while client.loop() == mqtt.MQTT_ERR_SUCCESS:
            while born and inbox: take(*inbox.pop(0))
            if born and time.monotonic() >= beat_at:
                client.publish(f"{D}/heartbeat", told(seq=seq, uptime_s=time.monotonic() - STARTED), 0, retain=True)
                seq, beat_at = seq + 1, time.monotonic() + float(os.environ.get("LAMP_HEARTBEAT_S", "30"))
    except OSError as error: print(error)
    finally:  # a clean stop; the broker is waited for, or closing the line could take the words with it
        last = client.publish(f"{D}/presence", told(state="offline", reason="stopped"), 1, True)
        while client.loop() == mqtt.MQTT_ERR_SUCCESS and not last.is_published(): pass
        client.disconnect()
    time.sleep(2)
