# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make the reduced parity set out of a whole one: python reduce.py WHOLE_FOLDER OUT_FOLDER.

Every value that is kept is kept exactly; see README.md for what is left out.
"""

import io
import json
import lzma
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

CASES = {"stage1_libero": "case0", "stage2_state": "case1"}
WITH_TRAINING = ("stage1_libero",)
PIXELS = ("img1_256x256", "img2_300x201", "libero_primary+libero_wrist")
STRIDE = 7
LEFT_OUT = ("reason_fa2", "film_dino", "meta_hidden")
UNUSED = ("vision_model.head.", "film_vision_model.vision_model.norm.")
UNUSED_BLOCKS = tuple(f"film_vision_model.vision_model.blocks.{index}." for index in range(3, 100))
ASIDE = UNUSED + UNUSED_BLOCKS


def main(whole: Path, out: Path) -> None:
    """Write the reduced set."""
    used = {name for names in PIXELS for name in names.split("+")}
    images = load_file(whole / "images.safetensors")
    save_file({name: images[name] for name in sorted(used)}, out / "images.safetensors")
    pixels = load_file(whole / "pixels.safetensors")
    save_file(
        {
            name: tensor[..., ::STRIDE, ::STRIDE].contiguous()
            for name, tensor in pixels.items()
            if name.rpartition("/")[0] in PIXELS
        },
        out / "pixels.safetensors",
    )
    base = next(whole.glob("Eagle2-2B*"))
    (out / base.name).mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(base / name, out / base.name / name)
    for variant, case in CASES.items():
        expected = json.loads((whole / f"{variant}.json").read_text())
        kept = {key: expected[key] for key in ("variant", "stage", "chunk")}
        kept["cases"] = {case: {key: value for key, value in expected["cases"][case].items() if key not in LEFT_OUT}}
        prefixes = [f"{case}/", "time_embedding/"]
        if variant in WITH_TRAINING:
            kept["train"] = expected["train"]
            prefixes.append("train/")
        (out / f"{variant}.json").write_text(json.dumps(kept) + "\n")
        tensors = load_file(whole / f"{variant}.safetensors")
        save_file(
            {
                name: tensor
                for name, tensor in tensors.items()
                if name.startswith(tuple(prefixes)) and not any(part in name.split("/") for part in LEFT_OUT)
            },
            out / f"{variant}.safetensors",
        )
        reduce_run(whole / "runs" / variant, out / "runs" / variant)


def reduce_run(run: Path, out: Path) -> None:
    """Copy a run folder, its checkpoint compressed and without tensors that never reach the output."""
    (out / "checkpoints").mkdir(parents=True, exist_ok=True)
    for file in run.glob("*.json"):
        shutil.copyfile(file, out / file.name)
    checkpoint = next((run / "checkpoints").glob("*.pt"))
    model = torch.load(checkpoint, weights_only=True)["model"]
    slim = {
        part: {name: tensor.clone() for name, tensor in tensors.items() if not any(p in name for p in ASIDE)}
        for part, tensors in model.items()
    }
    buffer = io.BytesIO()
    torch.save({"model": slim}, buffer)
    (out / "checkpoints" / f"{checkpoint.name}.xz").write_bytes(lzma.compress(buffer.getvalue(), preset=9))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
