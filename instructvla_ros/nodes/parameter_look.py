# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All parameters of other nodes, once each, as soon as they are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient


class ParameterLook:
    """Asks nodes for their parameters.

    Args:
        node: that asks.
        asked: names of the nodes.
        on_told: called with a node's name and its parameters by name, on the node's executor.
    """

    def __init__(self, node: Node, asked: Sequence[str], on_told: Callable[[str, dict[str, object]], None]) -> None:
        self._waiting = {name: AsyncParameterClient(node, name) for name in asked}
        self._on_told = on_told

    def look(self) -> None:
        """Ask those that have come by now; call it now and then."""
        for name, client in list(self._waiting.items()):
            if client.services_are_ready():
                del self._waiting[name]
                client.list_parameters().add_done_callback(self._listed(name, client))

    def _listed(self, node: str, client: AsyncParameterClient) -> Callable[[object], None]:
        def on_names(future: object) -> None:
            names = list(future.result().result.names)  # type: ignore[attr-defined]
            client.get_parameters(names).add_done_callback(lambda answer: on_values(names, answer))

        def on_values(names: list[str], future: object) -> None:
            values = future.result().values  # type: ignore[attr-defined]
            told = {name: parameter_value_to_python(value) for name, value in zip(names, values, strict=True)}
            self._on_told(node, told)

        return on_names
