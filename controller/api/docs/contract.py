"""The AsyncAPI document as a page: what the official viewer shows, without a program in the browser.

That viewer weighs three megabytes and makes code as it runs, which a strict policy forbids.
"""

from typing import Any

from markupsafe import Markup

from controller.api.docs import fields, pages

Json = dict[str, Any]

_NONE = Markup("")


def page(document: Json) -> str:
    """The whole page."""
    parts = document["components"]
    others = {name: each for name, each in parts["schemas"].items() if name not in parts["messages"]}
    body = Markup("""<div class="sides"><nav class="side" aria-label="Contents">{contents}</nav>
<main class="text"><h1>{title}</h1><p class="quiet">AsyncAPI {asyncapi}, contract {version}.
<a href="/api/v1/asyncapi.json">The document itself</a>.</p>{description}
<h2 id="servers">Servers</h2>{servers}<h2 id="channels">Channels</h2>{channels}
<h2 id="messages">Messages</h2>{messages}<h2 id="schemas">Parts of messages</h2>{others}</main></div>""").format(
        contents=_contents(document),
        title=document["info"]["title"],
        asyncapi=document["asyncapi"],
        version=document["info"]["version"],
        description=pages.prose(document["info"]["description"]),
        servers=_joined(_server(name, each) for name, each in document["servers"].items()),
        channels=_joined(_channel(name, each, document) for name, each in document["channels"].items()),
        messages=_joined(_message(name, each, parts["schemas"]) for name, each in parts["messages"].items()),
        others=_joined(_part(name, each) for name, each in others.items() if name != fields.ANYTHING),
    )
    return pages.frame("Orion: MQTT", body, here="/docs/async")


def _joined(pieces: Any) -> Markup:
    return Markup("\n").join(pieces)


def _last(reference: Json) -> str:
    """What a reference names."""
    return str(reference["$ref"]).rsplit("/", 1)[-1]


def _contents(document: Json) -> Markup:
    def listed(title: str, anchor: str, prefix: str, names: Any) -> Markup:
        links = _joined(
            Markup('<li><a href="#{}-{}">{}</a></li>').format(prefix, name, name) for name in names
        )
        return Markup('<h2><a href="#{}">{}</a></h2><ul>{}</ul>').format(anchor, title, links)

    return listed("Channels", "channels", "channel", document["channels"]) + listed(
        "Messages", "messages", "message", document["components"]["messages"]
    )


def _server(name: str, server: Json) -> Markup:
    values = ", ".join(f"{key} {each['default']}" for key, each in server["variables"].items())
    return Markup(
        '<section><h3>{} <code>{}://{}</code></h3>{}<p class="quiet">MQTT {}; here: {}.</p></section>'
    ).format(
        name,
        server["protocol"],
        server["host"],
        pages.prose(server["description"]),
        server["protocolVersion"],
        values,
    )


def _channel(name: str, channel: Json, document: Json) -> Markup:
    doing = {key: each for key, each in document["operations"].items() if _last(each["channel"]) == name}
    parameters = channel.get("parameters", {})
    return Markup("""<section id="channel-{name}"><h3>{name}</h3><p class="address"><code>{address}</code></p>
<p>{summary} <span class="quiet">{title}. {description}</span></p>{parameters}{doing}</section>""").format(
        name=name,
        address=channel["address"],
        summary=pages.words(channel["summary"]),
        title=channel["title"],
        description=pages.words(channel["description"]),
        parameters=Markup("<dl>{}</dl>").format(
            _joined(
                Markup("<dt><code>{}</code></dt><dd>{} For instance <code>{}</code>.</dd>").format(
                    key, pages.words(each["description"]), each["examples"][0]
                )
                for key, each in parameters.items()
            )
        )
        if parameters
        else _NONE,
        doing=_joined(_operation(key, each) for key, each in doing.items()),
    )


def _operation(name: str, operation: Json) -> Markup:
    binding = operation["bindings"]["mqtt"]
    facts = [f"QoS {binding['qos']}", "retained" if binding["retain"] else "not retained"]
    if expiry := binding.get("messageExpiryInterval"):
        facts.append(f"Message Expiry in seconds: {expiry['description'].rstrip('.').lower()}")
    messages = Markup(", ").join(
        Markup('<a href="#message-{0}">{0}</a>').format(_last(each)) for each in operation["messages"]
    )
    reply = operation.get("reply")
    answered = (
        Markup(' Answered on <a href="#channel-{0}">{0}</a>.').format(_last(reply["channel"]))
        if reply
        else _NONE
    )
    return Markup(
        '<p class="operation" id="operation-{name}"><b class="{action}">{action}</b> {summary} {messages}.{answered}'
        ' <span class="quiet">{facts}.</span></p>'
    ).format(
        name=name,
        action=operation["action"],
        summary=pages.words(operation["summary"]),
        messages=messages,
        answered=answered,
        facts=pages.words("; ".join(facts)),
    )


def _message(name: str, message: Json, schemas: Json) -> Markup:
    tags = _joined(
        Markup('<span class="tag" title="{}">{}</span>').format(each["description"], each["name"])
        for each in message.get("tags", [])
    )
    headers = message.get("headers")
    return Markup("""<section id="message-{name}"><h3 id="schema-{name}">{name} {tags}</h3><p>{summary} {description}</p>
{payload}{headers}{examples}</section>""").format(
        name=name,
        tags=tags,
        summary=pages.words(message["summary"]),
        description=pages.words(message.get("description", "")),
        payload=fields.table(schemas[_last(message["payload"])]),
        headers=Markup("<h4>User properties</h4>{}").format(fields.table(headers)) if headers else _NONE,
        examples=_joined(
            Markup("<details><summary>Example {}</summary>{}</details>").format(
                number, fields.shown(each["payload"])
            )
            for number, each in enumerate(message["examples"], 1)
        ),
    )


def _part(name: str, schema: Json) -> Markup:
    body = fields.table(schema) if "properties" in schema else Markup("<p>{}</p>").format(fields.kind(schema))
    return Markup('<section id="schema-{name}"><h3>{name}</h3><p>{says}</p>{body}</section>').format(
        name=name, says=pages.words(schema.get("description", "")), body=body
    )
