# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a microphone to an instruction: audio, utterances, words and meaning. No ROS; no torch but for Whisper."""
