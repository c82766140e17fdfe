"""A person's browser, as far as our pages need one: it keeps cookies, fills forms in and follows by hand."""

import html
import re

import httpx

HIDDEN = re.compile(r'type="hidden" name="(\w+)" value="([^"]*)"')


def fields(page: httpx.Response) -> dict[str, str]:
    """What the forms of a page hold that nobody sees."""
    return {name: html.unescape(value) for name, value in HIDDEN.findall(page.text)}


def let_in(browser: httpx.Client, address: str, code: str, username: str, password: str) -> httpx.Response:
    """Type a code at an address, sign in and say yes."""
    page = browser.get(address, params={"user_code": code})
    form = {**fields(page), "username": username, "password": password}
    shown = browser.post(address, data=form)
    return browser.post(f"{address}/decision", data={**fields(shown), "approve": "yes"})
