"""Which addresses and URLs a fetch may go to: only public ones, unless the owner says otherwise."""

import ipaddress
import re

import httpx

from retrieval.errors import SourceError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(rb"[a-z0-9_.:-]+")

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # a cloud's metadata service on an address that looks public
        "192.0.0.0/24",  # protocol assignments, another cloud's metadata among them
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # Teredo, ORCHID and other tunnels
        "2001:db8::/32",
        "3fff::/20",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


def is_public(address: str) -> bool:
    """Say whether an IP address, as getaddrinfo writes it, is one anybody on the internet would reach.

    IPv4 addresses wrapped in IPv6 (mapped, 6to4, NAT64) are judged by what they wrap.
    """
    try:
        ip = _unwrapped(ipaddress.ip_address(address.split("%")[0]))
    except ValueError:
        return False
    if ip.version == 6 and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


def _unwrapped(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def canonical_url(url: str) -> str:
    """Return the URL as it is fetched and named: host in lower case, default port and fragment dropped.

    Raises SourceError for anything but a plain http or https URL without credentials.
    """
    try:
        parsed = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise SourceError(f"{url[:200]!r} is not a URL ({error}); write it as https://host/path.") from None
    if parsed.scheme not in _DEFAULT_PORTS:
        raise SourceError(f"{url[:200]!r} has the scheme {parsed.scheme!r}; only http and https are fetched.")
    if parsed.userinfo:
        raise SourceError(f"The URL for {parsed.host!r} carries a user name or password; remove it and try again.")
    if not _HOST.fullmatch(parsed.raw_host) or (parsed.port or 0) > 65535:
        raise SourceError(f"{url[:200]!r} has no usable host; write it as https://host/path.")
    port = None if parsed.port == _DEFAULT_PORTS[parsed.scheme] else parsed.port
    return str(parsed.copy_with(port=port, fragment=None, path=parsed.path or "/"))


def site_of(url: str) -> str:
    """Return what "the same site" compares: host without a leading www., and a port that is not the default."""
    parsed = httpx.URL(url)
    host = parsed.host.removeprefix("www.")
    default = parsed.port is None or parsed.port == _DEFAULT_PORTS.get(parsed.scheme)
    return host if default else f"{host}:{parsed.port}"


def origin_of(url: str) -> str:
    """Return scheme, host and port, which is what one robots.txt speaks for."""
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"
