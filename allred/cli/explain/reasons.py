"""Why the selector picks an algorithm, in words. The facts are the core's: it is asked, nothing is computed again."""

from __future__ import annotations

from allred import _core

_NUMBERS = {
    "one_shot_bytes": "what one_shot may carry between two ranks with a core each, less where more ranks read it",
    "one_shot_bytes_shared": "what one_shot may carry where ranks share cores",
    "mailbox_bytes": "what fits a rank's mailbox, through which one_shot goes",
}


def describe_choice(choice: _core.Choice, setting: str) -> list[str]:
    """Sentences that say why `choice` was made.

    Args:
        choice: of the core.
        setting: the algorithm that the settings ask for, or ``"auto"``.
    """
    if setting != "auto":
        return [f"ALLRED_ALL_REDUCE_ALGORITHM asks for {setting}; left alone, the selector picks {choice.algorithm}"]
    sentences = [
        f"a rank would show its peers {choice.contribution_bytes:,} B in one_shot",
        f"by these bytes: {describe_stretches(choice.stretches)}",
    ]
    for name, value in choice.decisive:
        meaning = f": {_NUMBERS[name]}" if name in _NUMBERS else ""
        sentences.append(f"the limit comes from {name} = {value:,}{meaning}")
    if choice.trial_bytes:
        sentences.append(
            f"up to {choice.trial_bytes:,} B rank 0 times one_shot beside it, 16 calls in 1,024, and all ranks go by "
            "the faster one (one_shot_trial_bytes)"
        )
    return sentences


def describe_stretches(stretches: list[tuple[int, str]]) -> str:
    """The sizes for which each algorithm is chosen: ``one_shot up to 65,536, then two_shot``."""
    if len(stretches) == 1:
        return f"{stretches[0][1]} for all"
    ends = [first - 1 for first, _ in stretches[1:]]
    parts = [f"{name} up to {end:,}" for (_, name), end in zip(stretches[:-1], ends, strict=True)]
    return ", ".join([*parts, f"then {stretches[-1][1]}"])
