# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The path is drawn where it is said to lie, and words never cover the whole picture."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.console.drawing import CLOSES, PATH, draw

GREY = np.full((480, 640, 3), 128, np.uint8)


def test_a_path_is_drawn_at_its_places_and_the_picture_itself_stays_as_it_is() -> None:
    path = [[0.25, 0.5, 1.0], [0.5, 0.5, 0.2], [0.5, 0.75, 0.1]]
    drawn = draw(GREY, path, [])
    assert (GREY == 128).all()
    assert tuple(drawn[240, 160]) == (255, 255, 255), "the gripper"
    assert tuple(drawn[240, 240]) == PATH, "the way"
    assert tuple(drawn[240, 320]) == CLOSES, "here it closes"
    assert tuple(drawn[360, 320]) == PATH, "the end"
    assert (drawn[400:] == 128).all() and (drawn[:200] == 128).all()


def test_nothing_is_drawn_where_nothing_is_known() -> None:
    assert (draw(GREY, [], ["", ""]) == GREY).all()


@given(st.lists(st.text(max_size=300), max_size=4), st.sampled_from([(48, 64), (480, 640), (720, 1280)]))
def test_any_words_are_drawn_in_a_band_at_the_top(lines: list[str], size: tuple[int, int]) -> None:
    grey = np.full((*size, 3), 128, np.uint8)
    drawn = draw(grey, [[-3.0, 4.9, 0.5], [0.5, 0.5, 0.0]], lines)
    assert drawn.shape == grey.shape
    changed = (drawn[:, : size[1] // 8] != 128).any(axis=(1, 2)).nonzero()[0]
    written = [line for line in lines if line]
    assert not written or changed.size and changed[0] == 0
