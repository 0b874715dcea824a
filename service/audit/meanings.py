"""What each code of a finding means, in words for a person who has not read the rules.

Reports print them, and docs/audit.md has the same tables: a test holds them together.
"""

from __future__ import annotations

from service.audit.findings import Code

GROUPS: dict[str, dict[Code, str]] = {
    "The node": {
        Code.BLOCK_LINKAGE_BROKEN: "a block does not name the one before it as its parent",
        Code.HEADER_HASH_MISMATCH: "a block's hash is not that of its header",
        Code.RECEIPTS_ROOT_MISMATCH: "a block's receipts are not those of its header",
        Code.LOG_MISPLACED: "a log belongs to another block or contract, or stands out of order",
        Code.LOG_MALFORMED: "none of our contracts can have written such a log",
        Code.SEQUENCE_GAP: "a contract's count of its events has a gap, or an event comes twice",
        Code.DEPLOYMENT_NOT_READ: (
            "the blocks begin after the contracts' first events: nothing was compared"
        ),
        Code.EVIDENCE_WEAK: (
            "no receipts by block, or no hash that can be recomputed: logs by the word of a node "
            "or an archive"
        ),
        Code.ARCHIVE_MISMATCH: (
            "an archive replayed gives another state than the result that was handed over with it"
        ),
    },
    "Who approved": {
        Code.DIGEST_MISMATCH: "what officers signed is not what happened",
        Code.SIGNATURE_INVALID: "a signature is not that signer's over this data",
        Code.SIGNATURE_UNPROVEN: (
            "only a contract can tell whose signature it is, and the node has no state of "
            "that block"
        ),
        Code.SIGNATURES_MALFORMED: "packed signatures end inside a record",
        Code.OFFICERS_NOT_ASCENDING: "an officer counts twice, or stands out of order",
        Code.OFFICER_NOT_IN_FORCE: "an officer was unknown, removed, or not active yet",
        Code.OFFICER_LACKS_ROLE: "an officer signed without the role for it",
        Code.OFFICER_OUTSIDE_REGION: "an officer signed for a region outside theirs",
        Code.SIGNER_NOT_IN_FORCE: "a signer was not that officer's then",
        Code.VERIFIER_NOT_IN_FORCE: "the contract that checks a signer's keys was not allowed then",
        Code.MAKER_MISSING: "the maker did not sign the batch",
        Code.TOO_FEW_OFFICERS: "fewer officers than the tier or the quorum asks for",
        Code.ACTION_REUSED: "a quorum action was used a second time",
        Code.ACTION_MISSING: (
            "something happened without its quorum action, or an action without effect"
        ),
        Code.ACTION_UNPROVEN: "sent through another contract; who signed is proven, what is not",
        Code.OFFICER_RULE_BROKEN: (
            "an impossible officer, signer, quorum or delay, or an action after its deadline"
        ),
        Code.ADMIN_NOT_REGISTRY: (
            "somebody beside the registry administers the housekeeping roles, or a contract asks "
            "another manager"
        ),
        Code.POWERS_CHANGED_UNSIGNED: "roles or selectors changed and no quorum signed it",
    },
    "What was approved": {
        Code.PROGRAMME_RULE_BROKEN: "an impossible programme, or a budget moved early or unplanned",
        Code.BATCH_REPEATED: "a batch id was approved twice",
        Code.BATCH_UNKNOWN: "something happened to a batch nobody approved",
        Code.BATCH_RULE_BROKEN: (
            "terms, region, programme or delay with which no batch can be approved"
        ),
        Code.NUMBER_MISMATCH: "payout numbers do not follow on",
        Code.ROLLING_SUM_MISMATCH: (
            "the event gives another sum for the region than was approved there"
        ),
        Code.TIER_EXCEEDED: "the sum is above the programme's highest tier",
        Code.BUDGET_EXCEEDED: "more approved than the budget",
        Code.CAP_EXCEEDED: "a commitment passed the minter's or the token's cap",
        Code.RESERVE_EXCEEDED: "a commitment passed the attested reserve",
        Code.RESERVE_STALE: (
            "a commitment, not the emergency lane's, on an attestation older than 35 days"
        ),
        Code.COMMITMENT_MISMATCH: (
            "money committed or released without its batch or grant, or another sum"
        ),
    },
    "What was paid": {
        Code.CHUNK_REPEATED: "a chunk ran twice",
        Code.CHUNK_RULE_BROKEN: "a chunk ran cancelled, out of its time, of another kind or length",
        Code.CHUNKS_ROOT_MISMATCH: "the entries that ran are not those officers signed",
        Code.CHUNK_UNPROVEN: "run through another contract and its batch not complete",
        Code.TOTAL_MISMATCH: "entries do not sum to what was signed, or said to be paid",
        Code.PAYOUT_ABOVE_CAP: "a payout is above the programme's cap",
        Code.SKIP_MISMATCH: "skipped though payable, paid though not, or told otherwise",
        Code.RETRY_INVALID: "a retry of what was not skipped, changed, a second time, or expired",
        Code.MINT_MISSING: "a payout or grant without its mint",
        Code.MINT_UNEXPLAINED: "a mint without its payout or grant",
        Code.STREAM_UNKNOWN: "a withdrawal or cut of a stream never opened",
        Code.STREAM_MISMATCH: "a withdrawal of other than what accrued",
        Code.CANCEL_MISMATCH: (
            "a cancellation that returned another sum, twice, or at another second"
        ),
        Code.HOLD_RULE_BROKEN: (
            "a hold of other than one reviewer, a second of the same officer, longer than "
            "allowed, or of what waits for nothing"
        ),
        Code.HOLD_IGNORED: "a payout paid while a reviewer held it",
        Code.WALLET_CHANGE_INVALID: (
            "another wallet for what was paid, from one that was not paid, or to one that cannot be"
        ),
        Code.EXPIRY_MISMATCH: (
            "money returned as expired before its time, that can still be paid, or another sum"
        ),
        Code.SUNSET_IGNORED: (
            "a batch, programme or higher budget after the vault's sunset, or a second sunset"
        ),
        Code.PAUSE_IGNORED: (
            "something happened while it was paused, or a pause longer than allowed"
        ),
    },
    "What the emergency lane granted": {
        Code.GRANT_REPEATED: "a grant id twice, or one case in two grants",
        Code.GRANT_UNKNOWN: "a grant was ended that was never made",
        Code.GRANT_RULE_BROKEN: (
            "a grant with which nobody can be paid, signed by none or several officers or by "
            "another than it names, late, or ended a second time, late, or by its granter"
        ),
        Code.GRANT_ABOVE_CAP: (
            "a grant passed a cap: of one grant, its officer, a region, the country, or what "
            "may be outstanding"
        ),
        Code.GRANT_WHILE_CLOSED: "a grant by an officer, or in a region, with too much overdue",
        Code.GRANT_SUM_MISMATCH: "the event gives another sum outstanding, or another midnight",
        Code.LIMITS_RULE_BROKEN: (
            "limits, or a region's cap, raised unplanned or early, or left out"
        ),
    },
    "The token and the end": {
        Code.BALANCE_IMPOSSIBLE: "a wallet spent more than it held",
        Code.FREEZE_IGNORED: "tokens of a frozen wallet moved",
        Code.AUTHORIZATION_REUSED: (
            "what a holder authorized once was used or cancelled a second time"
        ),
        Code.REDEMPTION_MISMATCH: "a burn without redemption, or the reverse, or another sum",
        Code.RESERVE_RULE_BROKEN: (
            "an attestation not newer, of later, or of redemptions that never were"
        ),
        Code.MINTER_RULE_BROKEN: "a minter or a higher cap that was unplanned or early",
        Code.ACCOUNTING_MISMATCH: "balances or commitments do not sum up",
        Code.VIEW_MISMATCH: "a contract's own view says something else than its events",
    },
    "Manifests": {
        Code.MANIFEST_MISSING: "a batch that pays has no manifest in the folder",
        Code.MANIFEST_HASH_MISMATCH: "the file is not the one officers signed",
        Code.MANIFEST_MALFORMED: "the file cannot be read",
        Code.MANIFEST_MISMATCH: (
            "header or lines differ from what was signed or ran; names the first line"
        ),
        Code.COMMITMENT_REPEATED: "one case has two payouts, or a payout and an emergency grant",
    },
    "Openings": {
        Code.OPENING_MISMATCH: (
            "person, cause and period do not give the commitment that officers signed"
        ),
        Code.OPENING_MISSING: "a payout was drawn, and the office did not open it",
    },
    "Checkpoints": {
        Code.CHECKPOINT_MISMATCH: (
            "the chain has another block, time, count of events or state than a checkpoint says, "
            "or no longer that block"
        ),
        Code.CHECKPOINT_SIGNATURE_INVALID: (
            "a signature is not that auditor's, or no auditor you trust signed it"
        ),
        Code.CHECKPOINT_CHAIN_BROKEN: (
            "a checkpoint does not follow from the one before: changed, or one is missing"
        ),
    },
    "Payment proofs": {
        Code.TRANSACTIONS_ROOT_MISMATCH: (
            "a transaction is not the one that its block's header proves"
        ),
        Code.BLOCK_DIFFERS: "a block is another than that of the hash given for it",
        Code.PROOF_MISMATCH: (
            "the file claims something else than its own events prove, lacks one, or has one of "
            "another payout"
        ),
    },
    "The database": {
        Code.DATABASE_MISMATCH: (
            "a column holds something else than the chain, the signed manifest, or its own chunk"
        ),
        Code.DATABASE_ROW_MISSING: "something on chain has no row",
        Code.DATABASE_ROW_EXTRA: "a row of something that is not on chain",
        Code.DATABASE_OTHER_CHAIN: "the database read other blocks, or another chain",
        Code.DATABASE_BEHIND: "compared at the block it has read; newer blocks are not in it yet",
        Code.DATABASE_AHEAD: "it has read past the last block replayed: not compared",
    },
}
"""Meanings by the part of the replay that finds them, in its order."""

MEANINGS = {code: meaning for group in GROUPS.values() for code, meaning in group.items()}
"""Meanings by code."""
