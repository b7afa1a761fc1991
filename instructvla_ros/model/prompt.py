# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From words to token ids: the ChatML prompt with image tokens and meta queries.

Where image tokens and queries stand is known from building the prompt, never found by searching ids: text that a model
generated may hold any token. Text of users is data: it is tokenised by a tokenizer that knows no special tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from instructvla_ros.model.settings import CheckpointError, Settings
from instructvla_ros.model.tokenizer import Tokenizers, read_tokenizers

SYSTEM_MESSAGE = "You are a helpful assistant."
MAX_TEXT_CHARACTERS = 2000
QWEN2_CONTEXT = 32768  # tokens, what a configuration of Qwen2 means that does not say
REPLY_TOKENS = 128  # room in the context that is kept for a reply
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


class PromptTooLongError(ValueError):
    """The texts of a prompt do not fit the model's context; the message says how many tokens would."""


class Prompts:
    """Builds prompts and reads replies for one tokenizer.

    Attributes:
        num_queries: meta queries.
        num_image_tokens: tokens that a picture becomes.
        vocabulary: rows that an embedding of all token ids needs, meta queries included.
        image_id: the token of an image's part.
        query_ids: the tokens of the meta queries.
        end_ids: tokens that end a text.
        context: tokens that the language model was made for.
    """

    def __init__(
        self, base_folder: Path, num_queries: int, num_image_tokens: int, tokenizers: Tokenizers | None = None
    ) -> None:
        """Read the tokenizer.

        Args:
            base_folder: holds `tokenizer.json`, or `vocab.json` and `merges.txt`, and `config.json`.
            num_queries: meta queries.
            num_image_tokens: tokens that a picture becomes.
            tokenizers: those of the folder with these meta queries, if they have been read already.

        Raises:
            CheckpointError: if the tokenizer is missing or lacks a special token, or the context is too short for an
                instruction.
        """
        self.num_queries = num_queries
        self.num_image_tokens = num_image_tokens
        tokenizers = tokenizers or read_tokenizers(base_folder, num_queries)
        self._plain, self._full = tokenizers.plain, tokenizers.full
        self.vocabulary = tokenizers.vocabulary
        self.image_id = self._id(_IMAGE, base_folder)
        self.query_ids = tuple(self._id(query, base_folder) for query in tokenizers.queries)
        settings = Settings.read(base_folder / "config.json").part("llm_config")
        self.end_ids = frozenset({self._id(_END, base_folder), *self._configured_ends(settings)})
        self.context = settings.optional_integer("max_position_embeddings") or QWEN2_CONTEXT
        self._image_tokens = (self.image_id,) * num_image_tokens
        try:
            self._check_template(base_folder)
            self.for_reasoning("open the drawer")
        except PromptTooLongError as error:
            raise settings.error("max_position_embeddings", f"= {self.context} is too little: {error}") from error

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
            ValueError: if the texts are too long, or there is neither a turn nor an open user line.
        """
        if not turns and open_user is None:
            raise ValueError("a conversation needs at least one turn")
        users = [turn.user for turn in turns] + ([open_user] if open_user is not None else [])
        ids: list[int] = []
        labels: list[int] = []
        query_starts: list[int] = []
        image_start = text_length = 0

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
                text = self._text(f"\n{user}")
            else:
                add(self._special("<|im_start|>"))
                text = self._text(f"user\n{user}")
            text_length += len(text)
            add(text)
            add(self._special(f"{_END}\n"))
            opening = self._special(_ASSISTANT)
            if index == len(turns):
                add(opening)
                break
            turn = turns[index]
            reply = (turn.reply or "") + (" " if turn.reply is not None and turn.queries else "")
            text = self._text(f"assistant\n{reply}", turn.model_text)
            text_length += len(text)
            said = self._special("<|im_start|>") + text
            # a reply that begins with line ends merges with the one before it and leaves nothing to set apart
            merged = said[: len(opening)] != opening
            add(said, 0 if merged else len(said) - len(opening))
            if turn.queries:
                query_starts.append(len(ids))
                add(self.query_ids, self.num_queries)
            end = self._special(_END)
            add(end, len(end))
            add(self._special("\n"))
        self._check_length(len(ids), text_length, awaits_reply=open_user is not None)
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

    def _text(self, text: str, model_text: bool = False) -> list[int]:
        return (self._full if model_text else self._plain).encode(text, add_special_tokens=False).ids

    def _check_length(self, length: int, text_length: int, awaits_reply: bool) -> None:
        # a reply is followed by the meta queries when it is acted upon
        kept = REPLY_TOKENS + self.num_queries if awaits_reply else 0
        room = self.context - kept - (length - text_length)
        if text_length > room:
            raise PromptTooLongError(
                f"the text is {text_length} tokens long; beside image, queries and reply the model's context of "
                f"{self.context} tokens has room for {max(room, 0)}"
            )

    def _id(self, token: str, base_folder: Path) -> int:
        found = self._full.token_to_id(token)
        if found is None:
            raise CheckpointError(f"the tokenizer in {base_folder} has no token {token}")
        return found

    def _configured_ends(self, settings: Settings) -> list[int]:
        configured = settings.content.get("eos_token_id")
        ends = configured if isinstance(configured, list) else [] if configured is None else [configured]
        if not all(type(end) is int and 0 <= end < self.vocabulary for end in ends):
            raise settings.error("eos_token_id", f"must be ids of the tokenizer's tokens, not {configured!r}")
        return ends

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
