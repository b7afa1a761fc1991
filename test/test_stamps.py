# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stamps as numbers: a message's and those of its bytes are the same, in either byte order."""

import struct
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.stamps import SHORTEST_STAMPED, seconds, serialized_stamp
from instructvla_ros.timing import NANOSECONDS

WHOLE, REST = st.integers(-(2**31), 2**31 - 1), st.integers(0, NANOSECONDS - 1)


@given(WHOLE, REST, st.sampled_from((("<", 1), (">", 0))), st.binary(max_size=20))
def test_the_stamp_of_bytes_is_that_of_the_message(whole, rest, order, tail):
    sign, flag = order
    data = bytes((0, flag, 0, 0)) + struct.pack(f"{sign}iI", whole, rest) + tail
    assert len(data) >= SHORTEST_STAMPED
    assert serialized_stamp(data) == whole * NANOSECONDS + rest
    stamp = SimpleNamespace(sec=whole, nanosec=rest)
    assert seconds(stamp) == pytest.approx(serialized_stamp(data) / NANOSECONDS, rel=0.0, abs=5e-7)
