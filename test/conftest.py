# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many examples property tests try: `pytest --hypothesis-profile=thorough` tries many more."""

from hypothesis import settings

# Repeatable and without a time limit for one example, because test machines are shared.
settings.register_profile("default_here", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.load_profile("default_here")
