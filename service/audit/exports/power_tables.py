"""Tables of who may do what: programmes, officers, signers, verifiers, roles, minters, actions."""

from __future__ import annotations

import json
from collections.abc import Iterator

from service.audit.abi import Contract
from service.audit.decode import address_text, hex_text
from service.audit.exports.table import Row, Source, Table, amount, integer, text
from service.audit.officers import EMERGENCY, GOVERNOR, MAKER, REVIEWER

ROLES = {MAKER: "maker", REVIEWER: "reviewer", EMERGENCY: "emergency", GOVERNOR: "governor"}


def _programmes(source: Source) -> Iterator[Row]:
    for number, programme in sorted(source.report.state.programmes.items()):
        yield (
            number,
            *programme.region,
            programme.budget,
            programme.allocated,
            programme.payout_cap,
            json.dumps(
                [{key: str(value) for key, value in tier.items()} for tier in programme.tiers],
                sort_keys=True,
                separators=(",", ":"),
            ),
            hex_text(programme.metadata_hash),
            programme.active_from,
            programme.version,
            programme.next_number,
            programme.pending_budget or None,
            programme.pending_budget_from or None,
            source.recorded.block_of("ProgrammeCreated", number),
        )


PROGRAMMES = Table(
    "programmes",
    "A programme, and what was approved from its budget.",
    (
        integer("programme", "Its number."),
        integer("region_code", "Region, GB/T 2260; 0 is the whole country."),
        integer("region_digits", "Digits of the region's code."),
        amount("budget", "What may be approved."),
        amount("allocated", "What is approved, less what came back."),
        amount("payout_cap", "The most for one payout."),
        text(
            "tiers",
            "JSON: up to which sum of a region over the rolling window (`upTo`, base units) how "
            "many `reviewers` are needed, and the `challengeDelay` in seconds.",
        ),
        text("metadata_hash", "Hash of its description, 0x-hex."),
        integer("active_from_unix_s", "From when batches may be approved."),
        integer("version", "Version that officers sign."),
        integer("next_number", "Number of the next payout."),
        amount("pending_budget", "A planned higher budget."),
        integer("pending_budget_from_unix_s", "From when it may be applied."),
        integer("created_block", "Where it was created."),
    ),
    _programmes,
)


def _officers(source: Source) -> Iterator[Row]:
    for number, officer in sorted(source.report.state.registry.officers.items()):
        yield (
            number,
            " ".join(name for bit, name in ROLES.items() if officer.roles & bit) or None,
            *officer.region,
            officer.active_from,
            int(officer.removed),
            source.recorded.block_of("OfficerAdded", number),
            source.recorded.block_of("OfficerRemoved", number) if officer.removed else None,
        )


OFFICERS = Table(
    "officers",
    "An officer, those removed too.",
    (
        integer("officer_id", "Their number."),
        text("roles", "maker, reviewer, emergency, governor, with spaces between."),
        integer("region_code", "Region, GB/T 2260; 0 is the whole country."),
        integer("region_digits", "Digits of the region's code."),
        integer("active_from_unix_s", "From when they may sign."),
        integer("removed", "1 where they may sign no more."),
        integer("added_block", "Where they came."),
        integer("removed_block", "Where they were removed."),
    ),
    _officers,
)


def _signers(source: Source) -> Iterator[Row]:
    for (kind, signer), facts in sorted(source.report.state.registry.signers.items()):
        yield (
            kind,
            hex_text(signer),
            facts.officer_id,
            facts.active_from,
            int(facts.removed),
            source.recorded.block_of("SignerAdded", kind, signer),
            source.recorded.block_of("SignerRemoved", kind, signer) if facts.removed else None,
        )


SIGNERS = Table(
    "signers",
    "What an officer signs with, those removed too.",
    (
        integer("signer_type", "1 account, 2 contract account (ERC-1271), 3 P-256 key or passkey."),
        text("signer", "Address, or verifier's address and key; bytes as in the registry, 0x-hex."),
        integer("officer_id", "Whose it is."),
        integer("active_from_unix_s", "From when it counts."),
        integer("removed", "1 where it counts no more."),
        integer("added_block", "Where it came."),
        integer("removed_block", "Where it was removed."),
    ),
    _signers,
    key=2,
    indexes=(("officer_id",),),
)


def _verifiers(source: Source) -> Iterator[Row]:
    for address, verifier in sorted(source.report.state.registry.verifiers.items()):
        yield (
            address_text(address),
            verifier.active_from,
            int(verifier.removed),
            source.recorded.block_of("VerifierAdded", address),
            source.recorded.block_of("VerifierRemoved", address) if verifier.removed else None,
        )


VERIFIERS = Table(
    "verifiers",
    "A contract that checks signatures of P-256 keys or passkeys, those removed too.",
    (
        text("verifier", "Its address."),
        integer("active_from_unix_s", "From when it is asked."),
        integer("removed", "1 where it is asked no more."),
        integer("added_block", "Where it came."),
        integer("removed_block", "Where it was removed."),
    ),
    _verifiers,
)


def _roles(source: Source) -> Iterator[Row]:
    for (role, account), given in sorted(source.report.state.powers.access.items()):
        if given.since:
            yield str(role), address_text(account), given.since


ROLE_MEMBERS = Table(
    "roles",
    "Who holds a housekeeping role at the end.",
    (
        text("role_id", "Number of the role in the manager; 0 administers the others."),
        text("account", "Who holds it, address."),
        integer("since_unix_s", "Since when."),
    ),
    _roles,
    key=2,
)


def _minters(source: Source) -> Iterator[Row]:
    addresses = source.report.addresses
    names = {addresses[name]: name.value for name in (Contract.VAULT, Contract.LANE)}
    for account, minter in sorted(source.report.state.token.minters.items()):
        address = address_text(account)
        yield (
            address,
            names.get(address),
            minter.cap,
            minter.committed,
            minter.minted,
            int(minter.active),
        )


MINTERS = Table(
    "minters",
    "Who may mint tokens out of what they committed, those removed too.",
    (
        text("minter", "Its address."),
        text("contract", "vault or lane; nothing for another."),
        amount("cap", "The most that it may have minted and committed."),
        amount("committed", "Committed and not minted."),
        amount("minted", "Minted."),
        integer("active", "1 where it may commit."),
    ),
    _minters,
)


def _actions(source: Source) -> Iterator[Row]:
    for (consumer, action), digest in sorted(source.report.state.registry.actions_used.items()):
        yield address_text(consumer), hex_text(action), hex_text(digest)


ACTIONS = Table(
    "actions",
    "A quorum action that was used up; `action_signers` says who signed it.",
    (
        text("consumer", "Contract that used it, address."),
        text("action_id", "Its id, 0x-hex."),
        text("digest", "What officers signed, 0x-hex."),
    ),
    _actions,
    key=2,
)
