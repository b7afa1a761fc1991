# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is said about a table-top: commands in many words, questions and answers, reasoning. No torch."""
