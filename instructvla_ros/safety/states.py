# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which state of the filter can follow which, and why; ``python -m instructvla_ros.safety.states`` draws it."""

import sys

from instructvla_ros.safety.report import SafetyState

TRANSITIONS: dict[tuple[SafetyState, SafetyState], str] = {
    (SafetyState.INACTIVE, SafetyState.HOLDING): "first good joint state",
    (SafetyState.INACTIVE, SafetyState.STOPPED): "stop",
    (SafetyState.INACTIVE, SafetyState.FAULT): "broken promise",
    (SafetyState.HOLDING, SafetyState.MOVING): "chunk accepted",
    (SafetyState.MOVING, SafetyState.HOLDING): "at rest: chunks over, refused or too old",
    (SafetyState.MOVING, SafetyState.STOPPING): "stop",
    (SafetyState.MOVING, SafetyState.STOPPED): "stop while at rest",
    (SafetyState.HOLDING, SafetyState.STOPPED): "stop",
    (SafetyState.STOPPING, SafetyState.STOPPED): "at rest",
    (SafetyState.STOPPING, SafetyState.HOLDING): "reset in the step that finds the arm at rest",
    (SafetyState.STOPPED, SafetyState.HOLDING): "reset",
    (SafetyState.STOPPED, SafetyState.INACTIVE): "reset before any joint state",
    (SafetyState.HOLDING, SafetyState.FAULT): "broken promise",
    (SafetyState.MOVING, SafetyState.FAULT): "broken promise",
    (SafetyState.STOPPING, SafetyState.FAULT): "broken promise",
    (SafetyState.STOPPED, SafetyState.FAULT): "broken promise",
    (SafetyState.FAULT, SafetyState.HOLDING): "reset, at rest and cured",
    (SafetyState.FAULT, SafetyState.INACTIVE): "reset before any joint state",
}
"""What may follow what from one step to the next, beside staying in a state."""


def diagram() -> str:
    """The states as a Mermaid diagram, as it stands in docs/safety.md."""
    lines = ["stateDiagram-v2", f"    [*] --> {SafetyState.INACTIVE.name}"]
    lines += [f"    {before.name} --> {after.name}: {why}" for (before, after), why in TRANSITIONS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(diagram())
