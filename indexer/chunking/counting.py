"""Count tokens as the encoder will see them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from retrieval.errors import ModelError
from retrieval.types import Block

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHARS_PER_TOKEN = 10
"""A text longer than this many characters a token is as good as full: some tokenizers make one token of any word."""


@dataclass(frozen=True, slots=True)
class Sized:
    """A block, or a part of one: its text as it will stand in a chunk, and the tokens of that."""

    block: Block
    text: str
    tokens: int


_PROBES = ("Word", "word.", "- word:", "# Word", "```sh\nword\n```", "1 | word |", "日本語。", "Word")

_SURROGATE = re.compile("[\ud800-\udfff]")


class TokenCounter:
    """Counts tokens without the special ones.

    `joint` is what a blank line between two texts adds at most. Where the tokenizer is `additive`, it adds nothing,
    and the tokens of a text are the sum of those of its blocks: there is no need to count them again.
    """

    def __init__(self, tokenizer_json: str) -> None:
        """Read the text of a tokenizer.json. Raises ModelError where it is not one."""
        self._tokenizer = _tokenizer(tokenizer_json)
        self.special_tokens = self._tokenizer.num_special_tokens_to_add(False)
        singles = self.counts(_PROBES)
        excess = [joined - one - other for one, other, joined in zip(singles, singles[1:], self._pairs(), strict=False)]
        self.joint = max(0, *excess)
        self.additive = not any(excess)

    def _pairs(self) -> list[int]:
        return self.counts([f"{one}\n\n{other}" for one, other in pairwise(_PROBES)])

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, in one batch."""
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def sized(self, blocks: Sequence[Block]) -> list[Sized]:
        """Return each block with its rendered text and the tokens of that, counted in one batch."""
        texts = [block.rendered() for block in blocks]
        return [Sized(*parts) for parts in zip(blocks, texts, self.counts(texts), strict=True)]

    def exact(self, joined: Sequence[Sized]) -> list[int]:
        """Return the tokens of texts that were joined from blocks."""
        return [text.tokens for text in joined] if self.additive else self.counts([text.text for text in joined])


def fits(tokens: int, characters: int, limit: int) -> bool:
    """Return whether a text of this many tokens and characters is within `limit` tokens."""
    return tokens <= limit and characters <= limit * CHARS_PER_TOKEN


def without_surrogates(text: str) -> str:
    """Return the text with lone surrogates, which no tokenizer or database takes, as U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def _tokenizer(tokenizer_json: str) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
    except Exception as error:  # the library raises a bare Exception
        raise ModelError(f"The tokenizer cannot be read: {error}. Pass the text of a valid tokenizer.json.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
