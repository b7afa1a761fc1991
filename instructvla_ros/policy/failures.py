# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Failures that may come back at every try: counted each time, logged once."""

import logging

from instructvla_ros.policy.loop_state import LoopState


class FailureLog:
    """What one thread could not do.

    Args:
        state: counts the failures.
        logger: of who fails.
    """

    def __init__(self, state: LoopState, logger: logging.Logger) -> None:
        self._state, self._logger = state, logger
        self._logged = ""

    def add(self, doing: str, error: Exception) -> str:
        """Counts a failure and logs it, unless it is the one before again.

        Returns:
            The failure in words.
        """
        reason = f"{doing} failed: {type(error).__name__}: {error}"
        if reason != self._logged:
            # a ValueError is somebody's input, and its message says all there is; others need their traceback
            self._logger.error("%s", reason, exc_info=None if isinstance(error, ValueError) else error)
        self._logged = reason
        self._state.count("failures")
        return reason
