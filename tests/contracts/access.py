"""Who may call what, and which pause stops it: how a row of that table is written and read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployment import Relief

Error = tuple[Any, ...]
"""A typed error's name and its arguments; nothing for a revert without a word."""


@dataclass(frozen=True)
class Row:
    """One function with arguments that would do.

    Attributes
    ----------
    function
        A Brownie function, bound to its contract.
    by
        The callers who may; everybody where it is None.
    refusal
        How the others are refused.
    stopped
        The pauses that stop it, and how each refuses.
    pause_first
        Whether a pause refuses those too who may not.
    """

    function: Any
    arguments: tuple[Any, ...]
    by: frozenset[str] | None = None
    refusal: Callable[[str], Error] | None = None
    stopped: dict[str, Error] = field(default_factory=dict)
    pause_first: bool = False

    @property
    def signature(self) -> str:
        """The function's name and types."""
        abi = self.function.abi
        return f"{abi['name']}({','.join(_type(member) for member in abi['inputs'])})"

    @property
    def data(self) -> str:
        """The calldata."""
        encoded: str = self.function.encode_input(*self.arguments)
        return encoded

    def outcome(self, caller: str, pause: str) -> Error | None:
        """How this caller is refused under this pause; None for one who is not."""
        may = self.by is None or caller in self.by
        stopped = self.stopped.get(pause)
        if stopped and (may or self.pause_first):
            return stopped
        if may:
            return None
        assert self.refusal, self.signature
        return self.refusal(caller)


def _type(member: dict[str, Any]) -> str:
    kind: str = member["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(each) for each in member['components'])}){kind[5:]}"


def row(function: Any, *arguments: Any, **rule: Any) -> Row:
    """A row; `by` is a caller or some, `refusal` an error or what makes one of the caller."""
    by, refusal = rule.pop("by", None), rule.pop("refusal", None)
    if by is not None:
        by = frozenset([by] if isinstance(by, str) else by)
    if refusal is not None and not callable(refusal):
        error = refusal
        refusal = lambda _: error  # noqa: E731 - a name would say no more
    return Row(function, arguments, by, refusal, **rule)


PAUSES: dict[str, Callable[[Relief], Any]] = {
    "no pause": lambda _: None,
    "approvals": lambda relief: relief.vault.pause(1, {"from": relief.guardian}),
    "execution": lambda relief: relief.vault.pause(2, {"from": relief.guardian}),
    "withdrawals": lambda relief: relief.vault.pause(4, {"from": relief.guardian}),
    "transfers": lambda relief: relief.token.pauseTransfers({"from": relief.guardian}),
    "grants": lambda relief: relief.lane.pause({"from": relief.guardian}),
    "sunset": lambda relief: relief.begin_sunset(),
}


def changing_functions(abi: Sequence[dict[str, Any]]) -> set[str]:
    """Names and types of the functions of an ABI that may change something."""
    return {
        f"{entry['name']}({','.join(_type(member) for member in entry['inputs'])})"
        for entry in abi
        if entry["type"] == "function" and entry["stateMutability"] in {"nonpayable", "payable"}
    }
