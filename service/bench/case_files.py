"""Case files for benchmarks: good one-off cases, each a person and a wallet of their own.

Everything follows from the numbers of the cases: the same arguments give the same bytes. No person
is real, and nobody has the key of a wallet.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from stdnum.cn import ric

from service.intake.columns import COLUMNS

CASES_A_FILE = 100_000
"""Below the most that a file may have (200,000 rows, 64 MiB)."""

_COUNTIES = ("510722", "510703", "510104", "511102", "511302", "513401", "510304", "510502")
_NAMES = ("王芳", "李伟", "张敏", "刘静", "陈丽", "杨强", "阿苏·木呷", "扎西卓玛", "赵军", "周洋")
_CAUSES = ("2026年汛期房屋倒塌", "2026年汛期农田受淹", "2026年汛期家畜损失", "2026年汛期生活困难")
_FIRST_BIRTHDAY = date(1950, 1, 1)
_BIRTHDAYS = 20_000
_SERIALS = 999
"""People born on one day in one county that an identity number can tell apart."""


def write_case_files(
    folder: Path, first: int, count: int, *, programme: str, start: date
) -> list[Path]:
    """Write cases `first` to `first + count - 1` as CSV files of up to 100,000 rows.

    Parameters
    ----------
    programme
        Code of the programme.
    start
        First day of each case.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for begin in range(first, first + count, CASES_A_FILE):
        path = folder / f"cases-{begin}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(
                _rows(begin, min(begin + CASES_A_FILE, first + count), programme, start)
            )
        paths.append(path)
    return paths


def _rows(first: int, end: int, programme: str, start: date) -> Iterator[dict[str, str]]:
    for number in range(first, end):
        county = _COUNTIES[number % len(_COUNTIES)]
        yield {
            "case_ref": f"B-{number:08d}",
            "name": _NAMES[number % len(_NAMES)],
            "id_number": id_number(number),
            "phone": f"139{number:08d}",
            "region_code": county,
            "wallet_address": wallet(number),
            "programme": programme,
            "kind": "one_off",
            "amount": f"{300 + number % 5000}.{number % 100:02d}",
            "start_date": start.isoformat(),
            "duration_days": "",
            "cause": _CAUSES[number % len(_CAUSES)],
        }


def id_number(number: int) -> str:
    """Identity number of a case's person, with its check digit; up to 160 million differ."""
    county = _COUNTIES[number % len(_COUNTIES)]
    rest, serial = divmod(number // len(_COUNTIES), _SERIALS)
    born = _FIRST_BIRTHDAY + timedelta(days=rest % _BIRTHDAYS)
    stem = f"{county}{born:%Y%m%d}{serial + 1:03d}"
    return stem + str(ric.calc_check_digit(stem + "0"))


def wallet(number: int) -> str:
    """Wallet of a case, EIP-55."""
    return str(to_checksum_address(keccak(text=f"relief benchmark wallet {number}")[:20]))
