# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a page may send, and what becomes of everything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.console.requests import FORMS, LONGEST_MESSAGE, LONGEST_TEXT, RequestError, means_stop, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.text() | st.binary() | VALUES.map(json.dumps))
def test_garbage_is_refused_with_words_and_never_raises_anything_else(message: str | bytes) -> None:
    try:
        parse(message)
    except RequestError as error:
        assert str(error)


@given(st.sampled_from(sorted(FORMS)), VALUES, VALUES)
def test_fields_of_the_wrong_kind_are_refused(name: str, value: object, number: object) -> None:
    message = json.dumps({"do": name, "number": number, **dict.fromkeys(FORMS[name], value)})
    try:
        request = parse(message)
    except RequestError:
        return
    assert request.name == name and set(request.values) == set(FORMS[name])
    for key in request.values:
        if key in ("text", "token", "session", "camera", "action"):
            assert request.text(key).isprintable() and len(request.text(key)) <= LONGEST_TEXT
    if name == "speed":
        assert 0.0 <= request.share <= 1.0


def test_a_request_has_exactly_its_fields() -> None:
    assert parse('{"do": "stop", "number": 3}').number == 3
    for wrong in ('{"do": "stop", "now": true}', '{"do": "instruct"}', '{"do": "fly"}', '{"do": ["stop"]}', "[]", "3"):
        with pytest.raises(RequestError):
            parse(wrong)


def test_text_comes_in_one_line_without_what_cannot_be_shown() -> None:
    message = json.dumps({"do": "instruct", "text": " pick\nup\u202e the\x00 red\ud800 cube "})
    assert parse(message).text("text") == "pick up the red cube"


def test_what_is_too_long_is_refused_with_its_length() -> None:
    with pytest.raises(RequestError, match=str(LONGEST_TEXT + 1)):
        parse(json.dumps({"do": "instruct", "text": "a" * (LONGEST_TEXT + 1)}))
    with pytest.raises(RequestError, match="too many"):
        parse("[" * (LONGEST_MESSAGE + 1))


@pytest.mark.parametrize("text", ["stop", "Stop!", " STOP. ", "halt"])
def test_the_word_stop_alone_is_a_stop(text: str) -> None:
    assert means_stop(text)
    assert not means_stop(f"{text} at the cube")
