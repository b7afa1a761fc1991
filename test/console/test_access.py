# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who may do what: hosts, origins, tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.console.access import AccessRules, Right

LOCAL = AccessRules.make("127.0.0.1")
OPEN = AccessRules.make("0.0.0.0", names=["robot.lab"])


def test_on_this_machine_no_token_is_needed_and_elsewhere_one_is_made() -> None:
    assert LOCAL.token == "" and LOCAL.local
    assert len(OPEN.token) >= 20 and not OPEN.local
    assert AccessRules.make("0.0.0.0").token != OPEN.token
    assert AccessRules.make("::1").local and AccessRules.make("localhost").local
    assert not AccessRules.make("192.168.1.5").local


@pytest.mark.parametrize(("address", "token"), [("robot", ""), ("", ""), ("1.2.3", ""), ("127.0.0.1", "short")])
def test_an_address_or_token_that_is_none_is_refused(address: str, token: str) -> None:
    with pytest.raises(ValueError, match="address|token"):
        AccessRules.make(address, token)


@pytest.mark.parametrize("host", ["127.0.0.1:8642", "localhost:8642", "LOCALHOST", "[::1]:80", "127.0.0.2"])
def test_this_machine_is_asked_for_by_its_own_names(host: str) -> None:
    assert LOCAL.refusal(host, None) == ""
    assert LOCAL.refusal(host, f"http://{host}") == ""


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8642", "192.168.1.5", "localhost.evil.example", "", None, "a/b", "u@localhost"]
    + ["localhost:port", "127.0.0.1.evil.example", "0.0.0.0"],
)
def test_a_name_that_is_made_to_point_here_is_refused(host: str | None) -> None:
    assert LOCAL.refusal(host, None) != ""


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_headers_hold_a_decision_is_made(host: str, origin: str) -> None:
    for rules in (LOCAL, OPEN):
        assert isinstance(rules.refusal(host, origin), str)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:9", "file://", "http://[", ""]
)
def test_a_page_of_somebody_else_is_refused(origin: str) -> None:
    assert LOCAL.refusal("127.0.0.1:8642", origin) != ""


def test_on_a_network_addresses_and_known_names_are_answered_and_others_not() -> None:
    assert OPEN.refusal("192.168.1.5:8642", "http://192.168.1.5:8642") == ""
    assert OPEN.refusal("robot.lab:8642", "https://robot.lab:8642") == ""
    assert "robot.lab" in OPEN.refusal("evil.example", None)


def test_rights_follow_from_where_one_is_and_what_one_shows() -> None:
    assert LOCAL.right("127.0.0.1", False, "") is Right.OPERATE
    assert LOCAL.right("127.0.0.1", True, "") is Right.LOOK, "a proxy passes on for somebody else"
    assert LOCAL.right(None, False, "") is Right.LOOK
    assert OPEN.right("192.168.1.9", False, "") is Right.LOOK
    assert OPEN.right("192.168.1.9", False, OPEN.token) is Right.OPERATE
    assert OPEN.right("192.168.1.9", False, OPEN.token[:-1]) is Right.LOOK
    assert OPEN.right("127.0.0.1", False, "wrong") is Right.STOP, "whoever stands beside it may stop it"
    assert OPEN.right("::ffff:127.0.0.1", False, "") is Right.STOP
    assert OPEN.right("192.168.1.9", False, "\u00fc" * 22) is Right.LOOK
