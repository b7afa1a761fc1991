# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding messages by the definitions that the bag itself has, or else by those known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from instructvla_ros.bags.message_types import UnknownTypeError, learn_installed, type_store
from instructvla_ros.stamps import SHORTEST_STAMPED, serialized_stamp

_IDL_SEPARATOR = "=" * 80 + "\n"  # between the files of one definition, as rosbag2 writes it


class DecodingError(ValueError):
    """Bytes are not a message of their type."""


class Decoder:
    """Decodes CDR.

    Args:
        definitions: by type, as the bag has them.
    """

    def __init__(self, definitions: Mapping[str, MessageDefinition]) -> None:
        self._definitions = definitions
        # one for each type: two topics of a bag may bring different definitions of what they both name
        self._stores: dict[str, Typestore | UnknownTypeError] = {}
        self._headers: dict[str, bool] = {}

    def decode(self, message_type: str, data: bytes) -> Any:
        """The message as an object.

        Raises:
            UnknownTypeError: there is no definition, or it cannot be read.
            DecodingError: the bytes are not such a message.
        """
        store = self._store(message_type)
        if isinstance(store, UnknownTypeError):
            raise store
        try:
            return store.deserialize_cdr(data, message_type)
        except Exception as error:  # the generated code of rosbags raises whatever the bytes lead it to
            raise DecodingError(f"{len(data)} bytes are no {message_type}: {error!r}") from error

    def header_stamp(self, message_type: str, data: bytes) -> int | None:
        """The time in the header of a message [ns], without decoding the rest; None where the type has none."""
        known = self._headers.get(message_type)
        if known is None:
            known = self._headers[message_type] = self._has_header(message_type)
        return serialized_stamp(data) if known and len(data) >= SHORTEST_STAMPED else None

    def _has_header(self, message_type: str) -> bool:
        store = self._store(message_type)
        if isinstance(store, UnknownTypeError):
            return False
        fields = store.fielddefs[message_type][1]
        return bool(fields) and fields[0][1][1] == "std_msgs/msg/Header"

    def _store(self, message_type: str) -> Typestore | UnknownTypeError:
        if message_type not in self._stores:
            self._stores[message_type] = self._made(message_type)
        return self._stores[message_type]

    def _made(self, message_type: str) -> Typestore | UnknownTypeError:
        why = "the bag has no definition of it"
        definition = self._definitions.get(message_type)
        if definition is not None:
            try:
                store = get_typestore(Stores.EMPTY)
                store.register(_types(definition, message_type))
                store.fielddefs[message_type]
                return store
            except Exception as error:  # rosbags has several of its own, and definitions come from anywhere
                why = f"the bag's definition of it cannot be read ({error!r})"
        try:
            learn_installed(message_type)
        except UnknownTypeError as error:
            return UnknownTypeError(f"{error}; {why}")
        return type_store()


def _types(definition: MessageDefinition, message_type: str) -> dict[str, Any]:
    if definition.format == MessageDefinitionFormat.MSG:
        return dict(get_types_from_msg(definition.data, message_type))
    if not definition.data.startswith(f"{_IDL_SEPARATOR}IDL: "):
        return dict(get_types_from_idl(definition.data))
    types: dict[str, Any] = {}
    for file in definition.data.split(_IDL_SEPARATOR)[1:]:
        types.update(get_types_from_idl(file.partition("\n")[2]))
    return types
