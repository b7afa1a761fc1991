# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of a base folder, with its added tokens set apart, and which base folder fits a checkpoint."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from instructvla_ros.model.settings import CheckpointError, read_json

# how Qwen2 cuts text into words before byte pairs are merged; part of its published tokenizer.json
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


# added tokens of Qwen2 that are text like any other; all its others are special
QWEN2_ORDINARY_TOKENS = frozenset(
    {
        *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
        *("<|repo_name|>", "<|file_sep|>"),
    }
)


@dataclass(frozen=True, eq=False)
class Tokenizers:
    """A tokenizer twice.

    Attributes:
        plain: without any added token: all text is just text.
        full: with the added tokens and the meta queries.
        queries: the meta queries.
    """

    plain: Tokenizer
    full: Tokenizer
    queries: tuple[str, ...]

    @property
    def vocabulary(self) -> int:
        """Rows that an embedding of all token ids needs, meta queries included."""
        return max(self.full.get_vocab(with_added_tokens=True).values()) + 1


def read_tokenizers(folder: Path, num_queries: int) -> Tokenizers:
    """Read a tokenizer and add the meta queries to it.

    Args:
        folder: holds `tokenizer.json`, or `vocab.json` and `merges.txt` with the added tokens listed beside them.
        num_queries: meta queries.

    Raises:
        CheckpointError: if the files are missing or cannot be read, or ids of added tokens leave gaps.
    """
    try:
        plain, added = _read(folder)
    except CheckpointError:
        raise
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise CheckpointError(f"the tokenizer in {folder} cannot be read: {error!r}") from error
    full = Tokenizer.from_str(plain.to_str())
    for index, token in added:
        (full.add_special_tokens if token.special else full.add_tokens)([token])
        if full.token_to_id(token.content) != index:
            raise CheckpointError(f"the tokenizer in {folder} leaves no room for {token.content} at id {index}")
    queries = tuple(f"<new_token_{index}>" for index in range(num_queries))
    full.add_special_tokens([AddedToken(query, normalized=False, special=True) for query in queries])
    return Tokenizers(plain, full, queries)


def choose_base_folder(folders: Sequence[Path], num_queries: int, embeddings: int) -> tuple[Path, Tokenizers]:
    """Choose the base folder whose tokenizer belongs to a checkpoint.

    Args:
        folders: the candidates, likelier ones first.
        num_queries: meta queries.
        embeddings: tokens that the checkpoint has embeddings for; more than the tokenizer has ids if they were padded.

    Returns:
        The candidate that leaves the fewest embeddings unused, the likelier one among equals, and its tokenizers.

    Raises:
        CheckpointError: if none fits; says for each why.
    """
    if num_queries >= embeddings:
        raise CheckpointError(f"num_of_meta_query is {num_queries}, the checkpoint has {embeddings} token embeddings")
    fitting: list[tuple[Path, Tokenizers]] = []
    reasons: list[str] = []
    for folder in folders:
        try:
            tokenizers = read_tokenizers(folder, num_queries)
        except CheckpointError as error:
            reasons.append(str(error))
            continue
        needed = tokenizers.vocabulary
        if needed == embeddings:
            return folder, tokenizers
        if needed < embeddings:
            fitting.append((folder, tokenizers))
        reasons.append(f"the tokenizer in {folder} with {num_queries} meta queries needs {needed}")
    if not fitting:
        raise CheckpointError(
            f"the checkpoint has {embeddings} token embeddings, {'; '.join(reasons)}: they do not belong together"
        )
    return max(fitting, key=lambda candidate: candidate[1].vocabulary)


def _read(folder: Path) -> tuple[Tokenizer, list[tuple[int, AddedToken]]]:
    file = folder / "tokenizer.json"
    if file.is_file():
        content = read_json(file)
        listed = content.pop("added_tokens", [])
        content["added_tokens"] = []
        content["post_processor"] = None
        plain = Tokenizer.from_str(json.dumps(content))
    else:
        plain = _byte_pair_tokenizer(folder)
        listed = _listed_tokens(folder)
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    added = [
        (
            int(token["id"]),
            AddedToken(
                token["content"],
                special=bool(token.get("special", True)),
                **{flag: bool(token.get(flag, False)) for flag in flags},
            ),
        )
        for token in listed
    ]
    return plain, sorted(added, key=lambda token: token[0])


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


def _listed_tokens(folder: Path) -> list[dict[str, Any]]:
    settings = _read_if_there(folder / "tokenizer_config.json")
    if settings.get("added_tokens_decoder"):
        return [{"id": int(index), **token} for index, token in settings["added_tokens_decoder"].items()]
    added = read_json(folder / "added_tokens.json")
    named = _named_special_tokens(_read_if_there(folder / "special_tokens_map.json"), settings)

    def is_special(content: str) -> bool:
        # the files need not name the base model's own, which stand between <| and |>
        return content in named or (content not in QWEN2_ORDINARY_TOKENS and (not named or content.startswith("<|")))

    return [{"id": index, "content": content, "special": is_special(content)} for content, index in added.items()]


def _named_special_tokens(*files: Mapping[str, Any]) -> set[str]:
    """The tokens under keys such as `eos_token` and `additional_special_tokens`: text, objects with text, or lists."""
    named: set[str] = set()
    for file in files:
        for key, value in file.items():
            if not key.endswith(("_token", "_special_tokens")):
                continue
            for token in value if isinstance(value, list) else [value]:
                content = token.get("content") if isinstance(token, Mapping) else token
                if isinstance(content, str):
                    named.add(content)
    return named


def _read_if_there(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}
