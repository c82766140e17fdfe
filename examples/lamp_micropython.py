"""The same lamp on a microcontroller: MicroPython, its umqtt.simple and MQTT 3.1.1; README.md says how to run it."""
import json, os, re, time
from umqtt.simple import MQTTClient, MQTTException
from config import EVERY, HOST, ME, PASSWORD, PORT  # a file on the board; boot.py has set the clock by NTP
D, FILE, BOOT = "orion/v1/devices/" + ME, ME + "-kept.json", "".join("%02x" % byte for byte in os.urandom(16))
TOOLS = [{"name": "light", "description": "Turns the lamp on or off.", "risk": "low",
          "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}},
         {"name": "state", "description": "Says whether it is on.", "risk": "low", "annotations": {"readOnlyHint": True},
          "parameters": {"type": "object", "additionalProperties": False}}]
FITS = {"light": lambda arguments: type(arguments.get("on")) is bool, "state": lambda arguments: not arguments}
NEEDED = {  # a message without these is dropped; what it has beside them is of a later version, and ignored
    "command": {"id": str, "tool": str, "arguments": dict, "issued_at": str, "expires_at": str,
                "timeout_s": (int, float), "reply_to": str, "requested_by": dict},
    "cancel": {"id": str, "command_id": str, "at": str, "expires_at": str}, "ack": {"at": str}}
AT = re.compile(r"^\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$")  # all times look like this, and compare as text
try: kept = json.load(open(FILE))  # what outlives a power cut: of each id until when, to whom and what was answered
except (OSError, ValueError): kept = {"on": False, "known": {}, "unacked": []}  # and what nobody has acked yet
inbox, client, line, seq, beat_at, started = [], None, None, 0, 0, time.time_ns()
class Line:  # umqtt hides the retain flag: bit 0 of a packet's first byte, and after that byte it calls setblocking
    def __init__(self, sock):
        self.sock, self.write, self.close, self.last, self.heard_at = sock, sock.write, sock.close, b"", time.ticks_ms()
    def read(self, size): self.last = self.sock.read(size); return self.last
    def setblocking(self, yes):
        self.sock.setblocking(yes)
        if yes and self.last: self.retained, self.heard_at = self.last[0] & 1, time.ticks_ms()
def since(ticks): return time.ticks_diff(time.ticks_ms(), ticks) / 1000
def now():
    ns = time.time_ns()
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (tuple(time.gmtime(ns // 10**9)[:6]) + (ns // 10**6 % 1000,))
def told(**message):
    message.update(at=now(), boot_id=BOOT)
    return json.dumps(message).encode()
def keep():
    kept["known"] = {name: one for name, one in kept["known"].items() if one[0] > now()}
    with open(FILE + ".new", "w") as file: json.dump(kept, file)
    os.rename(FILE + ".new", FILE)  # the file is the old one or the new one, never half of one
def send(topic, payload, retain=False): client.publish(topic, payload, retain, 1)
def promise(name, topic, payload):  # what must arrive: it is sent after each connect until an Ack names it
    kept["unacked"].append([name, topic, payload.decode()]), keep()
    if client: send(topic, payload)
def answer(name, reply_to, until, status, code=None, why=None, **more):
    if code: more["error"] = {"code": code, "message": why}
    reply = told(command_id=name, status=status, **more)
    kept["known"][name] = [until, reply_to, reply.decode()]
    promise(name, reply_to, reply)

def command(said):
    asked = name, reply_to, until = said["id"], said["reply_to"], said["expires_at"]
    tool, known, instance = said["tool"], kept["known"].get(name), reply_to[len(D) + 7:]
    if reply_to != D + "/reply/" + instance or not re.match("^[A-Za-z0-9_-]+$", instance) or len(instance) > 64: return
    if known and known[2]: send(reply_to, known[2].encode())  # it does not run twice
    elif known: answer(*asked, "cancelled", "cancelled", "It was cancelled before it came.")
    elif until <= now(): answer(*asked, "expired", "expired", "It came too late.")
    elif tool not in FITS: answer(*asked, "rejected", "unknown_tool", "A lamp has no such tool.")
    elif not FITS[tool](said["arguments"]): answer(*asked, "rejected", "invalid_arguments", "`light` needs `on`.")
    elif said.get("dry_run"): answer(*asked, "rejected", "not_supported", "A lamp cannot say what it would do.")
    else:
        kept["known"][name] = [until, reply_to, 0]
        keep()  # before it begins: should the power fail now, the next life knows that it may have happened
        if tool == "light":
            kept["on"], event = said["arguments"]["on"], BOOT[:8] + "-" + str(time.time_ns())  # here a pin is switched
            promise(event, D + "/event", told(id=event, type="switched", severity="info", data={"on": kept["on"]}))
        answer(*asked, "succeeded", result={"on": kept["on"], "uptime_s": (time.time_ns() - started) / 1e9})
def cancel(said):
    name, known = said["command_id"], kept["known"].get(said["command_id"])
    if known and known[2]: send(known[1], known[2].encode())  # it ended before: its answer again
    elif said["expires_at"] > now(): kept["known"][name] = [said["expires_at"], 0, 0]
def ack(said):
    done = said.get("replies", []) + said.get("events", []) + [one["id"] for one in said.get("refused", [])]
    kept["unacked"] = [one for one in kept["unacked"] if one[0] not in done]
def take(topic, payload, retained):
    try:
        kind, said = topic.decode()[len(D) + 1:], json.loads(payload if len(payload) <= 262144 else b"")
        fits = all(isinstance(said[name], needed) for name, needed in NEEDED[kind].items())
        if fits and not retained and AT.match(said.get("expires_at") or said["at"]): globals()[kind](said), keep()
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError): print("Dropped one on", topic)

for name, (until, reply_to, reply) in list(kept["known"].items()):
    if reply_to and not reply: answer(name, reply_to, until, "interrupted", "interrupted", "The power failed meanwhile.")
while True:  # a board that can hang feeds its watchdog (machine.WDT) in the inner loop
    try:
        client = MQTTClient(ME, HOST, PORT, ME, PASSWORD, keepalive=30)
        client.set_last_will(D + "/presence", told(state="offline", reason="connection_lost"), True, 1)
        client.set_callback(lambda topic, payload: inbox.append((topic, payload, line.retained)))
        client.connect(False)  # not a clean session: commands wait for us at the broker
        client.sock = line = Line(client.sock)
        for kind in NEEDED: client.subscribe(D + "/" + kind, 1)
        send(D + "/profile", told(device_id=ME, tools=TOOLS), True), send(D + "/presence", told(state="online"), True)
        for _, topic, payload in kept["unacked"]: send(topic, payload.encode())
        while since(line.heard_at) < 45:
            client.check_msg()
            while inbox: take(*inbox.pop(0))
            if not seq or since(beat_at) >= EVERY:
                client.publish(D + "/heartbeat", told(seq=seq), True, 0), client.ping()
                seq, beat_at, client.pid = seq + 1, time.ticks_ms(), 0  # umqtt counts beyond 16 bits, and would hang
            time.sleep_ms(20)
    except (OSError, IndexError, AssertionError, MemoryError, MQTTException) as error: print("No broker:", error)
    client = None
    time.sleep(2)
