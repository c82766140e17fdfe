"""What both pages have in common: their frame, and what a browser may do on them."""

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

ASSETS = "/docs/assets"
FORBIDDEN = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
READ_ONLY = f"{FORBIDDEN}; style-src 'self'; img-src 'self' data:"
# Swagger UI draws with styles of its own and pictures within its sheet; it runs no code but ours
CALLING = f"{FORBIDDEN}; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
_FRAME = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
{sheets}
</head>
<body>
<header class="bar"><strong>Orion</strong><nav>{tabs}</nav></header>
{body}
</body>
</html>
""")
_TABS = {"/docs": "HTTP API", "/docs/async": "MQTT"}


def frame(title: str, body: Markup, *, here: str, sheets: tuple[str, ...] = ()) -> str:
    """A whole page. `sheets` are style sheets beside the one that all pages have."""
    links = (*sheets, "pages.css")
    return _FRAME.format(
        title=title,
        sheets=Markup("\n").join(
            Markup('<link rel="stylesheet" href="{}/{}">').format(ASSETS, each) for each in links
        ),
        tabs=Markup("").join(_tab(path, name, here) for path, name in _TABS.items()),
        body=body,
    )


def _tab(path: str, name: str, here: str) -> Markup:
    marked = Markup(' aria-current="page"') if path == here else Markup("")
    return Markup('<a href="{}"{}>{}</a>').format(path, marked, name)


class _Html(str):
    """What a library has made HTML of, and escaped."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def prose(text: str) -> Markup:
    """A text in Markdown as HTML; what is HTML in it is shown and not obeyed."""
    return escape(_Html(_MARKDOWN.render(text)))


def words(text: str) -> Markup:
    """One line of it, without a paragraph around."""
    return escape(_Html(_MARKDOWN.renderInline(text)))


def api_page() -> str:
    """The page of the HTTP API; Swagger UI reads the document and draws it."""
    body = Markup("""<main id="api"><noscript>This page is drawn by a program in the browser. Without one, read
<a href="/api/v1/openapi.json">the document</a> itself.</noscript></main>
<script src="{0}/swagger-ui-bundle.js"></script>
<script src="{0}/start.js"></script>""").format(ASSETS)
    return frame("Orion: HTTP API", body, here="/docs", sheets=("swagger-ui.css",))
