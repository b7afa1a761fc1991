# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of a base folder, with its added tokens set apart."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from instructvla_ros.model.run_folder import CheckpointError, read_json

# how Qwen2 cuts text into words before byte pairs are merged; part of its published tokenizer.json
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def read_tokenizer(folder: Path) -> tuple[Tokenizer, list[tuple[int, AddedToken]]]:
    """Read a tokenizer.

    Args:
        folder: holds `tokenizer.json`, or `vocab.json` and `merges.txt` with the added tokens listed beside them.

    Returns:
        The tokenizer without any added token, and the added tokens with their ids, in the order of these.

    Raises:
        CheckpointError: if the files are missing or cannot be read.
    """
    file = folder / "tokenizer.json"
    try:
        if file.is_file():
            content = read_json(file)
            added = content.pop("added_tokens", [])
            content["added_tokens"] = []
            content["post_processor"] = None
            plain = Tokenizer.from_str(json.dumps(content))
        else:
            plain = _byte_pair_tokenizer(folder)
            added = _listed_tokens(folder)
    except CheckpointError:
        raise
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise CheckpointError(f"the tokenizer in {folder} cannot be read: {error}") from error
    added = sorted(added, key=lambda token: token["id"])
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    tokens = [
        (
            int(token["id"]),
            AddedToken(
                token["content"],
                special=bool(token.get("special", True)),
                **{flag: bool(token.get(flag, False)) for flag in flags},
            ),
        )
        for token in added
    ]
    return plain, tokens


def _byte_pair_tokenizer(folder: Path) -> Tokenizer:
    for name in ("vocab.json", "merges.txt"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} has neither tokenizer.json nor {name}")
    model = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _listed_tokens(folder: Path) -> list[dict[str, object]]:
    settings_file = folder / "tokenizer_config.json"
    settings = read_json(settings_file) if settings_file.is_file() else {}
    if settings.get("added_tokens_decoder"):
        return [{"id": int(index), **token} for index, token in settings["added_tokens_decoder"].items()]
    return [{"id": index, "content": content} for content, index in read_json(folder / "added_tokens.json").items()]
