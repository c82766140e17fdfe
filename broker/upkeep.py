"""What a supervisor looks after while its Mosquitto runs: certificates, and files to be read again."""

from datetime import UTC, datetime

from broker import addresses, certificates, config, files
from broker.binary import BrokerUnavailable
from broker.certificates import CertificateError
from broker.settings import BrokerSettings


def certify(settings: BrokerSettings) -> bool:
    """Make or renew what is needed; whether anything is new.

    Raises:
        BrokerUnavailable: the certificates cannot be made or read; with the remedy.
    """
    host = () if addresses.is_everywhere(settings.tls_host) else (settings.tls_host,)
    try:
        names = certificates.own_names((*settings.tls_names, *host))
        return certificates.ensure(settings.directory, names, now=datetime.now(UTC))
    except (CertificateError, files.Locked) as error:
        raise BrokerUnavailable(str(error)) from error


def is_served(settings: BrokerSettings) -> bool:
    """Whether Mosquitto shows the certificate that is kept."""
    port = settings.tls_port if settings.tls_port is not None else settings.cert_port
    host = addresses.reachable(settings.tls_host)
    return port is None or certificates.is_served(settings.directory, host, port)


def state(settings: BrokerSettings) -> list[int]:
    """Tells whether anything changed that Mosquitto reads."""
    paths = [settings.directory / name for name in config.READ_AGAIN]
    return [path.stat().st_mtime_ns if path.exists() else 0 for path in paths]
