# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The task that a plain instruction asks for, so that the simulator can tell whether it was done.

This is no language understanding, and is not meant to be: instructions in any other words are for the model, and nobody
but the person who gave them can say whether they were followed.
"""

import re
from collections.abc import Iterable

from instructvla_ros.sim.scene import COLORS, SHAPES
from instructvla_ros.sim.tasks import Task

_IT, _OTHER = r"(?:the |a |an )?(?P<it>[a-z]+(?: [a-z]+)?)", r"(?:the |a |an )?(?P<other>[a-z]+(?: [a-z]+)?)"
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (verb, re.compile(form.format(it=_IT, other=_OTHER)))
    for verb, form in (
        ("put_next_to", "(?:put|place) {it} (?:next to|beside) {other}"),
        ("push_left", "push {it} (?:to the )?left"),
        ("push_right", "push {it} (?:to the )?right"),
        ("pick_up", "(?:pick up|lift|lift up|grab|take) {it}"),
        ("pick_up", "(?:pick|lift) {it} up"),
        ("touch", "touch {it}"),
        ("reach", "(?:reach|reach for|go to|move to|point at|point to) {it}"),
    )
)
_PLAIN_NAME = re.compile(f"({'|'.join(COLORS)}) ({'|'.join(SHAPES)})")


def plain_task(instruction: str, names: Iterable[str]) -> Task | None:
    """The task behind an instruction in plain words, as in ``pick up the red cube``.

    Things are called by colour and shape, or by one of both where only one thing on the table fits. A colour and a
    shape that no thing there has make a task too: the arm should rest.

    Args:
        instruction: what a person wrote.
        names: of the things on the table.

    Returns:
        None if the instruction is not in such words.
    """
    words = re.sub(r"[^a-z ]", " ", instruction.lower()).split()
    text = " ".join(word for word in words if word not in ("please", "now"))
    known = tuple(names)
    for verb, form in _FORMS:
        match = form.fullmatch(text)
        if match is None:
            continue
        called = match.groupdict()
        target = _thing(called["it"], known)
        other = _thing(called["other"], known) if "other" in called else None
        if target is None or ("other" in called and other is None) or other == target:
            continue
        return Task(verb, target, other)
    return None


def _thing(called: str, names: tuple[str, ...]) -> str | None:
    if _PLAIN_NAME.fullmatch(called):
        return called
    words = [word for word in called.split() if word not in ("one", "thing", "object")]
    fitting = [name for name in names if words and set(words) <= set(name.split())]
    return fitting[0] if len(fitting) == 1 else None
