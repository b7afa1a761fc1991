# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory as large as a picture is not asked of the kernel anew for each."""

import ctypes
import subprocess
import sys

import pytest

PICTURES = """
import resource, sys
from instructvla_ros.nodes.running import keep_memory
if sys.argv[1] == "kept":
    assert keep_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def handle():
    pieces = [bytearray(921_600) for _ in range(4)]
    for piece in pieces:
        piece[::4096] = bytes(225)
handle()
before = faults()
for _ in range(100):
    handle()
print(faults() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has no mallopt")
def test_pictures_cost_hardly_any_page_faults_once_memory_is_kept():
    def page_faults(way):
        done = subprocess.run([sys.executable, "-c", PICTURES, way], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert page_faults("kept") < 1000 < page_faults("given_back")
