"""Who may do the housekeeping: what the role manager's events say (OpenZeppelin's AccessManager).

A delay that is changed takes effect later: at once where it grows, and where it shrinks only after
the difference is over, so that nobody escapes a delay by shortening it first (contracts/utils/
types/Time.sol). An event names the moment of that, not the one before, which is kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from service.audit.decode import Event

ADMIN_ROLE = 0
EXPIRATION_S = 7 * 86_400
"""After so long what was scheduled can no longer be done."""


@dataclass(frozen=True, slots=True)
class Delay:
    """A number of seconds that may change at a moment to come.

    Attributes
    ----------
    before, after
        Seconds until and from then on.
    effect
        When it changes, Unix seconds.
    """

    before: int = 0
    after: int = 0
    effect: int = 0

    def full(self, time: int) -> tuple[int, int, int]:
        """Seconds in force at a time, those planned, and when they come; zeros if none are."""
        return (self.after, 0, 0) if self.effect <= time else (self.before, self.after, self.effect)

    def changed(self, seconds: int, effect: int, time: int) -> Delay:
        """Return it as changed at a time, to take effect at another."""
        return Delay(self.full(time)[0], seconds, effect)


@dataclass(frozen=True, slots=True)
class Access:
    """An account's membership of a role.

    Attributes
    ----------
    since
        Unix seconds from which it counts; 0 of one that was taken away.
    delay
        Of what the account does with the role.
    """

    since: int = 0
    delay: Delay = Delay()


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that was scheduled.

    Attributes
    ----------
    nonce
        How often the same was scheduled.
    time
        From when it may be done, Unix seconds; 0 once it was done or cancelled.
    """

    nonce: int
    time: int = 0

    def schedule(self, time: int) -> int:
        """From when it may be done; 0 if it cannot be any more."""
        return 0 if self.time + EXPIRATION_S <= time else self.time


@dataclass
class Powers:
    """Roles and what they may call.

    Attributes
    ----------
    access
        Role and account, also of those whom it was taken from.
    functions
        Contract and selector → role that may call it.
    """

    access: dict[tuple[int, bytes], Access] = field(default_factory=dict)
    admins: dict[int, int] = field(default_factory=dict)
    guardians: dict[int, int] = field(default_factory=dict)
    grant_delays: dict[int, Delay] = field(default_factory=dict)
    functions: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    closed: dict[bytes, bool] = field(default_factory=dict)
    admin_delays: dict[bytes, Delay] = field(default_factory=dict)
    operations: dict[bytes, Operation] = field(default_factory=dict)

    def holders(self, role: int) -> set[bytes]:
        """Accounts that have a role, or will."""
        return {
            who for (number, who), given in self.access.items() if number == role and given.since
        }

    def apply(self, event: Event) -> None:
        """Take in one event of the manager."""
        handler: Callable[[Event], None] | None = {
            "RoleGranted": self._granted,
            "RoleRevoked": self._revoked,
            "RoleAdminChanged": self._admin_changed,
            "RoleGuardianChanged": self._guardian_changed,
            "RoleGrantDelayChanged": self._grant_delay_changed,
            "TargetFunctionRoleUpdated": self._function_given,
            "TargetClosed": self._target_closed,
            "TargetAdminDelayUpdated": self._admin_delay_changed,
            "OperationScheduled": self._scheduled,
            "OperationExecuted": self._ended,
            "OperationCanceled": self._ended,
        }.get(event.name)
        if handler is not None:
            handler(event)

    def _granted(self, event: Event) -> None:
        args = event.args
        key, delay, since = (args["roleId"], args["account"]), args["delay"], args["since"]
        if args["newMember"]:
            self.access[key] = Access(since, Delay(after=delay))
            return
        # To one who has the role only another delay is given, and the event says from when.
        known = self.access.get(key, Access())
        changed = known.delay.changed(delay, since, event.timestamp)
        self.access[key] = Access(known.since, changed)

    def _revoked(self, event: Event) -> None:
        self.access[event.args["roleId"], event.args["account"]] = Access()

    def _admin_changed(self, event: Event) -> None:
        self.admins[event.args["roleId"]] = event.args["admin"]

    def _guardian_changed(self, event: Event) -> None:
        self.guardians[event.args["roleId"]] = event.args["guardian"]

    def _grant_delay_changed(self, event: Event) -> None:
        args = event.args
        known = self.grant_delays.get(args["roleId"], Delay())
        changed = known.changed(args["delay"], args["since"], event.timestamp)
        self.grant_delays[args["roleId"]] = changed

    def _function_given(self, event: Event) -> None:
        self.functions[event.args["target"], event.args["selector"]] = event.args["roleId"]

    def _target_closed(self, event: Event) -> None:
        self.closed[event.args["target"]] = event.args["closed"]

    def _admin_delay_changed(self, event: Event) -> None:
        args = event.args
        known = self.admin_delays.get(args["target"], Delay())
        changed = known.changed(args["delay"], args["since"], event.timestamp)
        self.admin_delays[args["target"]] = changed

    def _scheduled(self, event: Event) -> None:
        operation = Operation(event.args["nonce"], event.args["schedule"])
        self.operations[event.args["operationId"]] = operation

    def _ended(self, event: Event) -> None:
        self.operations[event.args["operationId"]] = Operation(event.args["nonce"])
