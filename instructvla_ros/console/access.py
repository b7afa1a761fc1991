# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who may do what: where the page is offered, which requests are answered, and what a viewer may do."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import urlsplit

_TOKEN_BYTES = 16


class Right(IntEnum):
    """What a viewer may do; each includes those before it."""

    LOOK = 0
    STOP = 1
    OPERATE = 2


@dataclass(frozen=True)
class AccessRules:
    """The rules of one console.

    Attributes:
        address: the address that the server binds to.
        token: what entitles to operate; empty: whoever is on this machine may, possible on a loopback address only.
        names: host names by which the page may be asked for, beside IP addresses.
    """

    address: str
    token: str
    names: frozenset[str]

    @classmethod
    def make(cls, address: str, token: str = "", names: Iterable[str] = ()) -> AccessRules:
        """Rules for an address; without a token one is generated where others than this machine can reach it.

        Raises:
            ValueError: the address is neither an IP address nor ``localhost``, or the token is too short to be one.
        """
        local = _is_loopback(address)
        if local is None:
            raise ValueError(f"address {address!r} is neither an IP address nor localhost")
        if token and len(token) < 8:
            raise ValueError(f"the token has {len(token)} characters: at least 8 are needed, or none to have one made")
        if not local and not token:
            token = secrets.token_urlsafe(_TOKEN_BYTES)
        own = {"localhost"} if local else {"localhost", socket.gethostname(), f"{socket.gethostname()}.local"}
        return cls(address, token, frozenset(name.lower() for name in (*own, *names)))

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the page."""
        return bool(_is_loopback(self.address))

    def refusal(self, host: str | None, origin: str | None) -> str:
        """Why a request is not answered; empty where it is.

        A page of somebody else's that sends requests here carries its own origin. One whose name is made to point here
        (DNS rebinding) carries its own name as the host, which is none of ours; an IP address cannot be made to.

        Args:
            host: the request's Host header.
            origin: its Origin header, which browsers send and programs need not.
        """
        name = _host_name(host)
        if name is None:
            return f"the Host header {host!r} is not a host"
        if name not in self.names:
            loopback = _is_loopback(name)
            if loopback is None:
                known = ", ".join(sorted(self.names))
                return f"this console is not known as {name!r}; it is as {known}, and by its IP address"
            if self.local and not loopback:
                return f"this console is for this machine alone, not for {name!r}"
        if origin is not None:
            try:
                parts = urlsplit(origin)
            except ValueError:
                return f"the Origin header {origin!r} cannot be read"
            if parts.scheme not in ("http", "https") or parts.netloc.lower() != (host or "").lower():
                return f"the request comes from a page of {origin!r}, not from this console"
        return ""

    def right(self, peer: str | None, forwarded: bool, token: str) -> Right:
        """What a viewer may do.

        Args:
            peer: address that the connection comes from.
            forwarded: whether a proxy says that it passes the request on for somebody else.
            token: what the viewer has shown, or an empty text.
        """
        near = not forwarded and bool(peer and _is_loopback(peer))
        if self.token:
            if hmac.compare_digest(self.token.encode(), token.encode()):
                return Right.OPERATE
            return Right.STOP if near else Right.LOOK
        return Right.OPERATE if near else Right.LOOK


def _is_loopback(host: str) -> bool | None:
    """Whether a host is this machine's own, None where it is a name that may mean anything."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _host_name(host: str | None) -> str | None:
    """The name in a Host header, without port and brackets; None where it is none."""
    if not host or any(letter in host for letter in "/@?#\\ \t"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  # raises where it is no number
        return parts.hostname
    except ValueError:
        return None
