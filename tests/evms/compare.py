"""Hold what tests did on one EVM against what they did on another, transaction by transaction.

Usage: ``python -m tests.evms.compare FOLDER``, with files that `brownie test --transcript FILE`
wrote, named ``node:hardfork.jsonl``. Those of one hardfork must tell the same of every test: which
transactions were sent, whether each went through, its gas and its logs, and what the contracts'
storage was at the end.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

Transcript = dict[str, dict[str, Any]]


def read(path: Path) -> Transcript:
    """The tests of a transcript by name."""
    tests = [json.loads(line) for line in path.read_text().splitlines()]
    if path.stem.startswith("anvil:"):
        # Anvil counts words that became zero again into a storage's hash, against the trie's rules.
        for test in tests:
            del test["storage"]
    return {test["test"]: test for test in tests}


def differences(first: Transcript, second: Transcript) -> list[str]:
    """What two transcripts tell differently, a line each."""
    found = [f"{test}: only one ran it" for test in sorted(first.keys() ^ second.keys())]
    for test in first.keys() & second.keys():
        one, other = first[test], second[test]
        sent, sent_there = one["transactions"], other["transactions"]
        if len(sent) != len(sent_there):
            found.append(f"{test}: {len(sent)} transactions, and {len(sent_there)}")
        for number, (here, there) in enumerate(zip(sent, sent_there, strict=False)):
            found += [
                f"{test}: transaction {number}: {what} {here[what]}, and {there[what]}"
                for what in here
                if here[what] != there[what]
            ]
        if one.get("storage", other.get("storage")) != other.get("storage", one.get("storage")):
            found.append(f"{test}: storage {one['storage']}, and {other['storage']}")
    return found


def main(folder: Path) -> None:
    """Compare each two transcripts of one hardfork; exits with 1 where they differ."""
    transcripts = {path.stem: read(path) for path in sorted(folder.glob("*.jsonl"))}
    differ = False
    for one, other in itertools.combinations(transcripts, 2):
        if one.partition(":")[2] != other.partition(":")[2]:
            continue
        found = differences(transcripts[one], transcripts[other])
        count = sum(len(test["transactions"]) for test in transcripts[one].values())
        print(f"{one} and {other}: {count} transactions, {len(found)} differences")
        for line in found[:20]:
            print(f"  {line}")
        differ = differ or bool(found)
    sys.exit(differ)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
