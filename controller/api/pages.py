"""The few pages that a person sees in a browser: whole as they are sent, without a script, nothing unescaped.

What may be loaded, sent and framed is said in the headers: nothing but the one style, and forms to ourselves.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from controller.api import problems
from controller.api.access.deviceflow import PAGE, Waiting
from controller.errors import OrionError
from schemas.wire import format_instant

DECISION = f"{PAGE}/decision"
_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}"
    "label,input{display:block}input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem;margin:.2rem 0 1rem}"
    "button,.button{font:inherit;padding:.5rem 1.2rem;margin:.3rem .6rem .3rem 0;cursor:pointer}"
    "code{font-size:1.5rem;letter-spacing:.1rem}dt{font-weight:bold}.warn{border-left:.4rem solid #c60;padding-left:.8rem}"
)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        f"style-src 'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # the code is in the address
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TOP = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
    f"<title>Orion</title><style>{_STYLE}</style></head><body>"
)
_CODE = f"""<p>A program that you have started somewhere shows a code. Type it here to let it in as you.</p>
<form method="get" action="{PAGE}"><label for="user_code">Code</label>
<input id="user_code" name="user_code" required maxlength="40" autocomplete="off" autocapitalize="characters" autofocus>
<button>Go on</button></form>"""
_SIGN_IN = f"""<p>The code is <code>{{code}}</code>. Go on only if the program that you have started shows the same one.</p>
<form method="post" action="{PAGE}"><input type="hidden" name="user_code" value="{{code}}">
<input type="hidden" name="form" value="{{form}}">
<label for="username">Name</label><input id="username" name="username" required maxlength="64" autocomplete="username">
<label for="password">Password</label>
<input id="password" name="password" type="password" required maxlength="1024" autocomplete="current-password">"""
_CHOOSE = """<label for="new_password">Your own new password, 12 characters or more</label>
<input id="new_password" name="new_password" type="password" required maxlength="1024" autocomplete="new-password">"""
_ANEW = f'<p><a href="{PAGE}">Type a code</a></p>'
_END_OF_SIGN_IN = "<button>Sign in</button></form>"
_ELSEWHERE = '<p><a href="{address}">Sign in with {issuer}</a></p>'
_ASK = f"""<p class="warn">Whoever holds this program will be able to do all that <strong>{{username}}</strong> may.
Did somebody send you this code, or ask you for it? Then say no: they want to come in as you.</p>
<dl><dt>Code</dt><dd><code>{{code}}</code></dd><dt>What the program says that it is</dt><dd>{{client}}</dd>
<dt>Where it asks from</dt><dd>{{address}}</dd><dt>Since</dt><dd>{{since}}</dd></dl>
<form method="post" action="{DECISION}"><input type="hidden" name="confirmation" value="{{confirmation}}">
<button name="approve" value="no">No, keep it out</button>
<button name="approve" value="yes">Yes, it is mine: let it in as {{username}}</button></form>"""


class PageRoute(APIRoute):
    """A route that answers with a page, also where something is wrong."""

    always = True  # also for who does not ask for one

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, and what is said in its place."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            if not self.always and "text/html" not in request.headers.get("accept", ""):
                return await handle(request)
            try:
                return await handle(request)
            except (RequestValidationError, HTTPException):
                return _wrong("What was sent is none of our forms. Begin anew.", 400)
            except OrionError as error:
                return _wrong(str(error), problems.status_of(error))

        return answered


class BrowserRoute(PageRoute):
    """The same of the API, for browsers alone: programs are told what is wrong as everywhere."""

    always = False


def code(said: str = "", *, status: int = 200) -> HTMLResponse:
    """Where a person types the code."""
    return _page("Let a program in", _CODE, said, status=status)


def sign_in(
    user_code: str, form: str, *, issuer: str | None, choose: bool = False, said: str = "", status: int = 200
) -> HTMLResponse:
    """Where they say who they are. `issuer`: who else may say so; `choose`: a new password is asked for too."""
    asked = _filled(_SIGN_IN, code=user_code, form=form) + (_CHOOSE if choose else "") + _END_OF_SIGN_IN
    if issuer is not None:
        query = urlencode({"next": PAGE, "user_code": user_code})
        asked += _filled(_ELSEWHERE, address=f"/api/v1/auth/oidc/login?{query}", issuer=issuer)
    return _page("Who are you?", asked, said, status=status)


def ask(waiting: Waiting) -> HTMLResponse:
    """Where they see who waits, and say yes or no."""
    asked = _filled(
        _ASK,
        username=waiting.username,
        code=waiting.user_code,
        client=f"“{waiting.client}”",
        address=waiting.address or "unknown",
        since=format_instant(waiting.begun_at),
        confirmation=waiting.confirmation,
    )
    return _page("Is this yours?", asked)


def end(title: str, said: str, *, status: int = 200) -> HTMLResponse:
    """Where nothing more is asked."""
    return _page(title, "", said, status=status)


def _wrong(said: str, status: int) -> HTMLResponse:
    return _page("That did not work", _ANEW, said, status=status)


def _page(title: str, body: str, said: str = "", *, status: int = 200) -> HTMLResponse:
    sentence = f'<p role="status">{escape(said)}</p>' if said else ""
    # the body is ours already, and what it was filled with is escaped
    whole = f"{_TOP}<h1>{escape(title)}</h1>{sentence}{body}</body></html>"
    return HTMLResponse(whole, status, headers=_HEADERS)


def _filled(template: str, **values: str) -> str:
    return template.format_map(_Escaped(values))


class _Escaped(dict[str, str]):
    """Values as they may stand in a page, also within quotes."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__({name: escape(value, quote=True) for name, value in values.items()})
