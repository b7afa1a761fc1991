# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From words to token ids: the ChatML prompt with image tokens and meta queries.

Where image tokens and queries stand is known from building the prompt, never found by searching ids: text that a model
generated may hold any token. Text of users is data: it is tokenised by a tokenizer that knows no special tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer

from instructvla_ros.model.run_folder import CheckpointError, read_json
from instructvla_ros.model.tokenizer import read_tokenizer

SYSTEM_MESSAGE = "You are a helpful assistant."
MAX_TEXT_CHARACTERS = 2000
MAX_TEXT_TOKENS = 512
IGNORED_LABEL = -100
REASONING_REQUEST = " First answer my question."
_IMAGE = "<IMG_CONTEXT>"
_END = "<|im_end|>"
_USER = "<|im_start|>user\n"
_ASSISTANT = "<|im_start|>assistant\n"


@dataclass(frozen=True)
class Prompt:
    """Token ids and where the parts with a meaning of their own stand.

    Attributes:
        ids: the tokens.
        image_start: index of the first image token.
        query_starts: index of the first meta query of each group; a prompt for acting has one group.
        labels: what a training step should predict, `IGNORED_LABEL` where nothing; as long as `ids`.
    """

    ids: tuple[int, ...]
    image_start: int
    query_starts: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Turn:
    """One exchange of a conversation.

    Attributes:
        user: what the user says.
        reply: what the model says; None if nothing is said.
        queries: whether the meta queries follow the reply.
        model_text: whether the reply is the model's own text, whose special tokens stand for themselves. In text of
            people they are ordinary characters.
    """

    user: str
    reply: str | None = None
    queries: bool = False
    model_text: bool = False


def action_request(instruction: str, reasoning: bool = False) -> str:
    """The user's line that asks for actions, with or without reasoning first."""
    return f"What action should the robot take to {instruction}?" + (REASONING_REQUEST if reasoning else "")


class Prompts:
    """Builds prompts and reads replies for one tokenizer."""

    def __init__(self, base_folder: Path, num_queries: int, num_image_tokens: int) -> None:
        """Read the tokenizer.

        Args:
            base_folder: holds `tokenizer.json`, or `vocab.json` and `merges.txt`, and `config.json`.
            num_queries: meta queries.
            num_image_tokens: tokens that a picture becomes.

        Raises:
            CheckpointError: if the tokenizer is missing or lacks a special token.
        """
        self.num_queries = num_queries
        self.num_image_tokens = num_image_tokens
        self._plain, added = read_tokenizer(base_folder)
        self._full = Tokenizer.from_str(self._plain.to_str())
        for index, token in added:
            (self._full.add_special_tokens if token.special else self._full.add_tokens)([token])
            if self._full.token_to_id(token.content) != index:
                raise CheckpointError(
                    f"the tokenizer in {base_folder} leaves no room for {token.content} at id {index}"
                )
        queries = [f"<new_token_{index}>" for index in range(num_queries)]
        self._full.add_special_tokens([AddedToken(query, normalized=False, special=True) for query in queries])
        self.image_id = self._id(_IMAGE, base_folder)
        self.query_ids = tuple(self._id(query, base_folder) for query in queries)
        self.end_ids = self._end_ids(base_folder)
        self._image_tokens = (self.image_id,) * num_image_tokens
        self._check_template(base_folder)

    @property
    def vocabulary(self) -> int:
        """Token ids in use, meta queries included."""
        return max(self._full.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a reply: end of text, or the first meta query."""
        return self.end_ids | {self.query_ids[0]}

    def for_action(self, instruction: str, reasoning: str | None = None) -> Prompt:
        """The prompt that holds the meta queries.

        Args:
            instruction: what the robot should do.
            reasoning: the model's own reply to the reasoning prompt; None to act at once.

        Raises:
            ValueError: if a text is empty or too long.
        """
        check_text("the instruction", instruction)
        if reasoning is not None:
            check_text("the reasoning", reasoning, may_be_empty=True)
        user = action_request(instruction, reasoning is not None)
        return self.conversation([Turn(user, reasoning, queries=True, model_text=True)])

    def for_reasoning(self, instruction: str) -> Prompt:
        """The prompt that the model's reasoning continues.

        Raises:
            ValueError: if the instruction is empty or too long.
        """
        check_text("the instruction", instruction)
        return self.conversation([], open_user=action_request(instruction, reasoning=True))

    def for_question(self, question: str) -> Prompt:
        """The prompt that the answer to a free question continues.

        Raises:
            ValueError: if the question is empty or too long.
        """
        check_text("the question", question)
        return self.conversation([], open_user=question)

    def conversation(self, turns: Sequence[Turn], open_user: str | None = None) -> Prompt:
        """Build a prompt of any turns about one picture, with training labels.

        Args:
            turns: exchanges that are complete; the picture stands in the first.
            open_user: what the user says last, for the model to answer.

        Returns:
            The prompt. Labels cover every reply and its queries up to the token that ends it.

        Raises:
            ValueError: if a text is too long, or there is neither a turn nor an open user line.
        """
        if not turns and open_user is None:
            raise ValueError("a conversation needs at least one turn")
        users = [turn.user for turn in turns] + ([open_user] if open_user is not None else [])
        ids: list[int] = []
        labels: list[int] = []
        query_starts: list[int] = []
        image_start = 0

        def add(new: Sequence[int], learned: int = 0) -> None:
            ids.extend(new)
            labels.extend([IGNORED_LABEL] * (len(new) - learned) + list(new[len(new) - learned :]))

        add(self._special(f"<|im_start|>system\n{SYSTEM_MESSAGE}{_END}\n"))
        for index, user in enumerate(users):
            if index == 0:
                add(self._special(f"{_USER}<img>"))
                image_start = len(ids)
                add(self._image_tokens)
                add(self._special("</img>"))
                add(self._text("the user's text", f"\n{user}"))
            else:
                add(self._special("<|im_start|>"))
                add(self._text("the user's text", f"user\n{user}"))
            add(self._special(f"{_END}\n"))
            opening = self._special(_ASSISTANT)
            if index == len(turns):
                add(opening)
                break
            turn = turns[index]
            reply = (turn.reply or "") + (" " if turn.reply is not None and turn.queries else "")
            said = self._special("<|im_start|>") + self._text("the reply", f"assistant\n{reply}", turn.model_text)
            # a reply that begins with line ends merges with the one before it and leaves nothing to set apart
            merged = said[: len(opening)] != opening
            add(said, 0 if merged else len(said) - len(opening))
            if turn.queries:
                query_starts.append(len(ids))
                add(self.query_ids, self.num_queries)
            end = self._special(_END)
            add(end, len(end))
            add(self._special("\n"))
        return Prompt(tuple(ids), image_start, tuple(query_starts), tuple(labels))

    def text(self, ids: Sequence[int]) -> str:
        """Text of generated tokens as the model is shown it again: special tokens stay, the first query ends it."""
        if self.query_ids[0] in ids:
            ids = ids[: list(ids).index(self.query_ids[0])]
        return self._full.decode(list(ids), skip_special_tokens=False)

    def words(self, ids: Sequence[int]) -> str:
        """Text of generated tokens for people: no special tokens, no unfinished character, no outer space."""
        return self._full.decode(list(ids), skip_special_tokens=True).rstrip("�").strip()

    def _special(self, text: str) -> list[int]:
        return self._full.encode(text, add_special_tokens=False).ids

    def _text(self, name: str, text: str, model_text: bool = False) -> list[int]:
        tokenizer = self._full if model_text else self._plain
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) > MAX_TEXT_TOKENS:
            raise ValueError(f"{name} is {len(ids)} tokens long; the limit is {MAX_TEXT_TOKENS} tokens")
        return ids

    def _id(self, token: str, base_folder: Path) -> int:
        found = self._full.token_to_id(token)
        if found is None:
            raise CheckpointError(f"the tokenizer in {base_folder} has no token {token}")
        return found

    def _end_ids(self, base_folder: Path) -> frozenset[int]:
        ends = {self._id(_END, base_folder)}
        language = read_json(base_folder / "config.json").get("llm_config") or {}
        configured = language.get("eos_token_id")
        if configured is not None:
            ends.update(configured if isinstance(configured, list) else [configured])
        return frozenset(ends)

    def _check_template(self, base_folder: Path) -> None:
        prompt = self.for_action("open the drawer", "the drawer is shut.")
        whole = (
            f"<|im_start|>system\n{SYSTEM_MESSAGE}{_END}\n{_USER}<img>{_IMAGE * self.num_image_tokens}</img>\n"
            f"{action_request('open the drawer', reasoning=True)}{_END}\n{_ASSISTANT}the drawer is shut. "
            + "".join(f"<new_token_{index}>" for index in range(self.num_queries))
            + f"{_END}\n"
        )
        if list(prompt.ids) != self._special(whole):
            raise CheckpointError(f"the tokenizer in {base_folder} does not cut at special tokens as Qwen2 does")


def check_text(name: str, text: str, may_be_empty: bool = False) -> None:
    """Check a text before it is tokenised.

    Args:
        name: what it is, for the message.
        text: the text.
        may_be_empty: whether an empty or blank text is fine.

    Raises:
        ValueError: if it is no text, blank, longer than `MAX_TEXT_CHARACTERS` or not valid Unicode.
    """
    if not isinstance(text, str):
        raise ValueError(f"{name} must be a string, got {type(text).__name__}")
    if not may_be_empty and not text.strip():
        raise ValueError(f"{name} is empty")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise ValueError(f"{name} is {len(text)} characters long; the limit is {MAX_TEXT_CHARACTERS} characters")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} is no valid Unicode: {error.reason} at character {error.start}") from None
