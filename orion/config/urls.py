"""Which addresses a setting may hold. Each function gives back the one to use, or raises `ValueError`."""

from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from broker.addresses import is_loopback


def of_a_database(url: str) -> str:
    """A file of SQLite, or a database of a PostgreSQL server, with the driver that is used."""
    scheme, _, rest = url.partition("://")
    if scheme in ("postgres", "postgresql", "postgresql+psycopg") and urlsplit(f"//{rest}").path.strip("/"):
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite" and rest.partition("?")[0] not in ("", "/", "/:memory:"):
        return url
    raise ValueError("no such database")


def of_a_broker(url: str) -> str:
    """A broker, with or without TLS."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("no such address")
    _ = parts.port  # raises what is no port
    return url


def of_a_site(url: str) -> str:
    """Where browsers find somebody: a whole host, and by TLS unless it is this computer."""
    if _by_tls_or_here(url).path not in ("", "/"):
        raise ValueError("no whole host")
    return url.rstrip("/")


def of_an_issuer(url: str) -> str:
    """An identity provider, letter by letter as it calls itself."""
    _by_tls_or_here(url)
    return url


def of_a_collector(url: str) -> str:
    """Who takes traces."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no such address")
    _ = parts.port  # raises what is no port
    return url


def of_a_tracker(dsn: SecretStr) -> SecretStr:
    """Who takes errors, with the key and the project."""
    parts = urlsplit(dsn.get_secret_value())
    project = parts.path.rpartition("/")[2]
    if parts.scheme not in ("http", "https") or not (parts.hostname and parts.username and project):
        raise ValueError("no such address")
    _ = parts.port  # raises what is no port
    return dsn


def _by_tls_or_here(url: str) -> SplitResult:
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or "@" in url or not url.isascii():
        raise ValueError("no such address")
    if parts.scheme != "https" and (parts.scheme != "http" or not is_loopback(parts.hostname)):
        raise ValueError("not encrypted")
    _ = parts.port  # raises what is no port
    return parts
