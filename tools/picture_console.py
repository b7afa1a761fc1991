#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of the operator console at work: an instruction is typed, and the page is kept once the arm has moved.

    make demo DEMO_SECONDS=60                            # in one terminal; it prints the address
    python tools/picture_console.py http://127.0.0.1:8642/ "pick up the red cube" docs/pictures/console.webp
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import sys
from pathlib import Path

from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.chromium import Browser  # noqa: E402

SIZE = (1440, 900)  # [px]
LONGEST = 60.0  # [s] until the model has spoken
MOTION = 1.5  # [s] of it on the charts


async def picture(address: str, instruction: str) -> bytes:
    """The page as PNG."""
    async with Browser() as browser:
        tab = await browser.open(address, *SIZE)
        await tab.until("document.querySelector('#cameras .nothing')?.hidden", LONGEST)
        await tab.type("#text", instruction)
        await tab.key("Enter", "Enter", 13, "\r")
        await tab.until_text("#current", instruction, LONGEST)
        await tab.until("document.querySelectorAll('figure:not([hidden]) .path-line').length > 0", LONGEST)
        await asyncio.sleep(MOTION)
        await tab.eval("window.scrollTo(0, 0)")
        answer = await tab.send("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


def main() -> int:
    """Take and write it."""
    parser = argparse.ArgumentParser(description="A picture of the operator console at work.")
    parser.add_argument("address", help="of the page, with its token where it needs one")
    parser.add_argument("instruction")
    parser.add_argument("out", type=Path, help="the ending decides the format")
    arguments = parser.parse_args()
    data = asyncio.run(picture(arguments.address, arguments.instruction))
    Image.open(io.BytesIO(data)).convert("RGB").save(arguments.out, quality=85)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
