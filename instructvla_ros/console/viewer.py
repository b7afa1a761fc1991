# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One page that is open somewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from instructvla_ros.console.access import Right
from instructvla_ros.console.outbox import Outbox


@dataclass(eq=False)
class Viewer:
    """A viewer's side of the server.

    Attributes:
        number: names it among the others.
        peer: address that it comes from.
        right: what it may do.
        session: by which its page is known again after it was loaded anew.
        outbox: what it is sent next.
        abort: ends its connection without a word, for one that does not listen.
        token_wrong: whether it has shown a token that is not the console's.
        bad_messages: how many messages of it were no requests.
        busy: whether something that it asked for is being done.
        wake: set when its outbox may have something to send.
    """

    number: int
    peer: str
    right: Right
    session: str
    outbox: Outbox
    abort: Callable[[], None]
    token_wrong: bool = False
    bad_messages: int = 0
    busy: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        """For people."""
        return f"viewer {self.number} ({self.peer})"

    def tell(self, message: Mapping[str, object]) -> None:
        """Send something that must arrive: an answer, or news of its rights."""
        self.outbox.offer_answer(json.dumps(message))
        self.wake.set()
