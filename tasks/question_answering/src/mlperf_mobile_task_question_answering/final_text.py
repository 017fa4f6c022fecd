"""Maps an answer's tokens back to the words of the passage.

Source: Google's BERT, run_squad.py, get_final_text, which the reference app follows.
"""

from __future__ import annotations

from collections.abc import Sequence


def joined(pieces: Sequence[str]) -> str:
    """WordPieces as text: the pieces of a word joined, words separated by one space."""
    text = " ".join(pieces).replace(" ##", "").replace("##", "")
    return " ".join(text.split())


def final_text(predicted: str, original: str, tokenised: str) -> str:
    """The part of ``original`` that ``predicted`` was tokenised from.

    Args:
        predicted: The answer's tokens, joined.
        original: The words of the passage that the answer covers, as written.
        tokenised: The same after basic tokenisation, with spaces between the tokens.

    Returns:
        A part of ``original``, or all of it if the characters cannot be aligned.
    """
    at = tokenised.find(predicted)
    if at == -1 or not predicted:
        return original
    places = [place for place, character in enumerate(original) if character != " "]
    if len(places) != len(tokenised) - tokenised.count(" "):
        return original
    before = at - tokenised.count(" ", 0, at)
    within = len(predicted) - predicted.count(" ")
    return original[places[before] : places[before + within - 1] + 1]
