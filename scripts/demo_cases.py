"""Make the demo's case files: good cases over real counties of Sichuan, and bad rows of every kind.

Everything follows from the seed: the same arguments give the same bytes. No person is real. The
wallets' private keys follow from the seed as well (:func:`demo_wallet_key`), so that the demo can
sign for a beneficiary; whoever has the seed has the money, so never pay real money to them.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from coincurve import PublicKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from openpyxl import Workbook
from stdnum.cn import ric

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from service.regions import Region, full_name, parse_region
from service.regions.table import counties_on

COLUMNS = (
    "case_ref",
    "name",
    "id_number",
    "phone",
    "region_code",
    "wallet_address",
    "programme",
    "kind",
    "amount",
    "start_date",
    "duration_days",
    "cause",
)

DEFAULT_SEED = "relief-demo"
DEFAULT_CASES = 3000
DEFAULT_START = date(2026, 11, 1)
STREAM_SHARE = 5
"""One case in five is a stream: 600 of 3,000."""

STREAM_DAYS = (90, 120, 150, 180)
FLOOD, ALLOWANCE = "flood-2026", "allowance-2026"
PROVINCE = Region(51, 2)

YI, TIBETAN, QIANG = "yi", "tibetan", "qiang"
_PEOPLE_OF_PREFECTURE = {"5134": YI, "5133": TIBETAN, "5132": TIBETAN}
_PEOPLE_OF_COUNTY = {
    "510726": QIANG,
    "513221": QIANG,
    "513222": QIANG,
    "513223": QIANG,
    "511132": YI,
    "511133": YI,
    "513422": TIBETAN,
}


def _words(text: str) -> list[str]:
    return text.split()


_HAN_SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余"
_HAN_GIVEN = _words(
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀英 秀兰 桂英 建国 建华 志强 玉兰 淑珍 "
    "国庆 红梅 春花 小平 文彬 晓东 德全 光明 天佑 素芬 永贵 世荣 雨涵 梓轩 子墨 欣怡 浩然"
)
_YI_CLANS = _words("阿苏 沙马 吉克 吉木 阿尔 曲比 马海 吉狄 的日 俄木 阿说 勒伍 沈木 海来 罗洪")
_YI_GIVEN = _words(
    "子呷 拉则 曲比 木呷 伍各 阿依 阿呷 日火 史布 乌果 尔古 木果 阿牛 依火 石一 阿支"
)
_TIBETAN_NAMES = _words(
    "扎西 卓玛 多吉 央金 次仁 德吉 格桑 拉姆 尼玛 达瓦 洛桑 白玛 旦增 泽仁 降央 丹巴 仁青 曲珍 "
    "益西 罗布 桑吉 措姆"
)
_QIANG_NAMES = _words(
    "尔玛 木吉 泽里 杨山 余 陈 王 何 坤 茂 云朵 金花 水珠 明珠 兴龙 志全 永福 正清"
)
_MIAO_NAMES = _words("杨阿妹 龙金桥 石老二 吴阿娜 熊朝文 王阿秀 陶正学 古文兴 李阿兰 杨光明")
_UYGHUR_GIVEN = _words(
    "阿卜杜拉 阿依古丽 买买提 古丽娜尔 艾山 热依汗 吐尔逊 迪丽努尔 玉素甫 帕提古丽"
)
_UYGHUR_FATHERS = _words("买买提 吐尔逊 艾合买提 阿不都热合曼 依明 库尔班 卡德尔 热合曼")

_FLOOD_CAUSES = (
    "2026年汛期房屋倒塌",
    "2026年汛期农田受淹",
    "2026年汛期家畜损失",
    "2026年泥石流转移安置",
    "2026年汛期生活困难",
)
_ALLOWANCE_CAUSES = ("2026年冬春生活救助", "孤儿基本生活费", "失能老人护理补贴", "临时生活救助")


def demo_wallet_key(seed: str, index: int) -> bytes:
    """Return the private key of one demo wallet: never for real money.

    Parameters
    ----------
    seed
        The generator's seed.
    index
        Number of the case, 0 for the first data row.

    Returns
    -------
    bytes
        ``keccak256("relief/demo-wallet/v1/" + seed + "/" + index in decimal)``, 32 bytes. (The
        chance that it is no valid secp256k1 key is below 2**-127.)
    """
    return keccak(f"relief/demo-wallet/v1/{seed}/{index}".encode())


def demo_wallet_address(seed: str, index: int) -> str:
    """Return the address of one demo wallet, in EIP-55 form."""
    public_key = PublicKey.from_secret(demo_wallet_key(seed, index)).format(compressed=False)
    return to_checksum_address(keccak(public_key[1:])[-20:])


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row of the bad file.

    Attributes
    ----------
    cells
        By column; one cell too many under ``extra``.
    code
        The problem code it must yield, or None for a row that is good by itself.
    column
        The column that the problem names, or None.
    """

    cells: dict[str, str]
    code: str | None
    column: str | None


def good_cases(seed: str, count: int, start: date) -> list[dict[str, str]]:
    """Return the good cases, each a person of their own with a wallet of their own."""
    rng = random.Random(f"{seed}/cases")  # noqa: S311  # repeatable, not secret
    counties = rng.sample(counties_on(PROVINCE, start), 72)
    used: set[str] = set()
    rows = []
    for index in range(count):
        county = counties[index % len(counties)] if index < len(counties) else rng.choice(counties)
        stream = index % STREAM_SHARE == STREAM_SHARE - 1
        duration = rng.choice(STREAM_DAYS) if stream else 0
        rows.append(
            {
                "case_ref": f"SC-{start.year}-{index + 1:06d}",
                "name": person_name(rng, county),
                "id_number": id_number(rng, county, start, used),
                "phone": phone_number(rng),
                "region_code": county.six_digits,
                "wallet_address": demo_wallet_address(seed, index),
                "programme": ALLOWANCE if stream else FLOOD,
                "kind": "stream" if stream else "one_off",
                "amount": stream_amount(rng, duration) if stream else relief_amount(rng),
                "start_date": start.isoformat(),
                "duration_days": str(duration) if stream else "",
                "cause": rng.choice(_ALLOWANCE_CAUSES if stream else _FLOOD_CAUSES),
            }
        )
    return rows


def person_name(rng: random.Random, county: Region) -> str:
    """Invent a name such as people of the county have."""
    code = str(county)
    people = _PEOPLE_OF_COUNTY.get(code) or _PEOPLE_OF_PREFECTURE.get(code[:4])
    if people is not None and rng.random() < 0.75:  # noqa: PLR2004  # about the census share
        if people == YI:
            return f"{rng.choice(_YI_CLANS)}·{rng.choice(_YI_GIVEN)}"
        names = _TIBETAN_NAMES if people == TIBETAN else _QIANG_NAMES
        return "".join(rng.sample(names, 2))
    chance = rng.random()
    if chance < 0.02:  # noqa: PLR2004  # a few people from elsewhere
        return f"{rng.choice(_UYGHUR_GIVEN)}·{rng.choice(_UYGHUR_FATHERS)}"
    if chance < 0.05:  # noqa: PLR2004  # likewise
        return rng.choice(_MIAO_NAMES)
    return rng.choice(_HAN_SURNAMES) + rng.choice(_HAN_GIVEN)


def id_number(rng: random.Random, county: Region, before: date, used: set[str]) -> str:
    """Invent an identity number of the county with its check digit, not in ``used``."""
    while True:
        born = before - timedelta(days=rng.randrange(30, 95 * 365))
        stem = f"{county.six_digits}{born:%Y%m%d}{rng.randrange(1, 1000):03d}"
        number = stem + ric.calc_check_digit(stem + "0")
        if number not in used:
            used.add(number)
            return number


def phone_number(rng: random.Random) -> str:
    """Invent a mobile number; one in twenty people has none."""
    if rng.randrange(20) == 0:
        return ""
    return f"1{rng.choice('3456789')}{rng.randrange(10**9):09d}"


def relief_amount(rng: random.Random) -> str:
    """Invent a one-off amount: round, in cents, or shared out to the last decimal."""
    whole = rng.choice((300, 600, 800, 1200, 2000, 3500, 5000, 8000)) + rng.randrange(0, 300, 10)
    style = rng.randrange(10)
    if style < 5:  # noqa: PLR2004  # half of the amounts are round
        return str(whole)
    if style < 9:  # noqa: PLR2004  # a tenth has every decimal
        return f"{whole}.{rng.randrange(100):02d}"
    return f"{whole}.{rng.randrange(1, 10**6):06d}"


def stream_amount(rng: random.Random, days: int) -> str:
    """Invent an allowance over its whole duration from a monthly rate."""
    cents = rng.choice((28050, 35000, 42000, 56875, 63333)) * days // 30
    return f"{cents // 100}.{cents % 100:02d}"


def bad_cases(seed: str, start: date) -> list[BadRow]:
    """Return the bad file: a few good rows, then one row for each kind of problem."""
    rng = random.Random(f"{seed}/bad")  # noqa: S311  # repeatable, not secret
    used: set[str] = set()
    county = parse_region("510722")
    rows: list[BadRow] = []

    def row(**changes: str) -> dict[str, str]:
        index = 900_000 + len(rows)
        return {
            "case_ref": f"BAD-{len(rows) + 1:04d}",
            "name": person_name(rng, county),
            "id_number": id_number(rng, county, start, used),
            "phone": phone_number(rng) or "13800000000",
            "region_code": county.six_digits,
            "wallet_address": demo_wallet_address(seed, index),
            "programme": FLOOD,
            "kind": "one_off",
            "amount": relief_amount(rng),
            "start_date": start.isoformat(),
            "duration_days": "",
            "cause": rng.choice(_FLOOD_CAUSES),
        } | changes

    def bad(code: str, column: str | None, **changes: str) -> None:
        rows.append(BadRow(row(**changes), code, column))

    def good(**changes: str) -> dict[str, str]:
        cells = row(**changes)
        rows.append(BadRow(cells, None, None))
        return cells

    for _ in range(5):
        good()
    _bad_values(bad, row, start)
    _bad_pairs(bad, good, start)
    return rows


def _bad_values(bad: Callable[..., None], row: Callable[..., dict[str, str]], start: date) -> None:
    """Add one row for each fault that a row has alone."""
    person, wallet = row()["id_number"], row()["wallet_address"]
    wrong_digit = str((int(person[16]) + 1) % 10)
    stream = {"programme": ALLOWANCE, "kind": "stream", "duration_days": "90"}
    bad("missing_value", "name", name="")
    bad("invalid_case_ref", "case_ref", case_ref="#1 (copy)")
    bad("invalid_name", "name", name="张3")
    bad("unusable_character", "name", name="王\u200b芳")
    bad("cell_too_long", "cause", cause="灾" * 501)
    bad("formula_cell", "amount", amount="=SUM(A1:A9)")
    bad("number_not_text", "id_number", id_number="5.10722E+17")
    bad("id_number_length", "id_number", id_number=person[:6] + person[8:17])
    bad("id_number_characters", "id_number", id_number=person[:10] + "O" + person[11:])
    bad(
        "id_number_check_digit",
        "id_number",
        id_number=person[:16] + wrong_digit + person[17],
    )
    bad("id_number_birth_date", "id_number", id_number=_with_check("51072219990230001"))
    bad("id_number_region", "id_number", id_number=_with_check("99072219900101001"))
    bad("invalid_phone", "phone", phone="12345")
    bad("invalid_region_code", "region_code", region_code="51O722")
    bad("unknown_region", "region_code", region_code="519999")
    bad("region_not_in_force", "region_code", region_code="510122")
    bad("region_outside_programme", "region_code", region_code="440106")
    bad("invalid_address", "wallet_address", wallet_address=wallet[:-1])
    bad("zero_address", "wallet_address", wallet_address="0x" + "0" * 40)
    bad("address_not_checksummed", "wallet_address", wallet_address=wallet.lower())
    bad("address_checksum", "wallet_address", wallet_address=_flip_one_case(wallet))
    bad("unknown_programme", "programme", programme="flood-2062")
    bad("invalid_kind", "kind", kind="monthly")
    bad("invalid_amount", "amount", amount="six hundred")
    bad("amount_negative", "amount", amount="-600")
    bad("amount_separator", "amount", amount="1,234.50")
    bad("amount_decimals", "amount", amount="600.1234567")
    bad("amount_zero", "amount", amount="0.00")
    bad("amount_too_large", "amount", amount="18446744073710")
    bad("invalid_date", "start_date", start_date=start.strftime("%d/%m/%Y"))
    bad("date_out_of_range", "start_date", start_date="1926-11-01")
    bad("duration_not_allowed", "duration_days", duration_days="30")
    bad("duration_missing", "duration_days", **(stream | {"duration_days": ""}))
    bad("invalid_duration", "duration_days", **(stream | {"duration_days": "90 days"}))
    bad("duration_out_of_range", "duration_days", **(stream | {"duration_days": "3661"}))
    bad("invalid_cause", "cause", cause="@洪灾")
    bad("wrong_cell_count", None, extra="一")


def _bad_pairs(bad: Callable[..., None], good: Callable[..., dict[str, str]], start: date) -> None:
    """Add pairs of rows that are good alone and not together; the second one is to blame."""
    stream = {"programme": ALLOWANCE, "kind": "stream", "duration_days": "90"}
    first = good()
    bad("duplicate_case_ref", "case_ref", case_ref=first["case_ref"])
    first = good()
    same_person = {"id_number": first["id_number"], "name": first["name"]}
    bad("duplicate_case", "cause", cause=first["cause"], **same_person)
    first = good()
    bad("duplicate_wallet", "wallet_address", wallet_address=first["wallet_address"])
    first = good(name="阿苏·子呷")
    bad("name_differs", "name", id_number=first["id_number"], name="阿苏·木呷", cause="其他原因")
    first = good(cause="孤儿基本生活费", **stream)
    bad(
        "overlapping_stream",
        "start_date",
        id_number=first["id_number"],
        name=first["name"],
        cause=first["cause"],
        start_date=(start + timedelta(days=45)).isoformat(),
        **stream,
    )


def _with_check(stem: str) -> str:
    return stem + ric.calc_check_digit(stem + "0")


def _flip_one_case(address: str) -> str:
    at = next(at for at, letter in enumerate(address) if at > 1 and letter.isalpha())
    return address[:at] + address[at].swapcase() + address[at + 1 :]


def write_csv(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write rows as UTF-8 CSV with a byte order mark, as spreadsheets do."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = [row[column] for column in COLUMNS]
        writer.writerow([*cells, row["extra"]] if "extra" in row else cells)
    path.write_bytes(text.getvalue().encode("utf-8-sig"))


def write_xlsx(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write rows as a workbook, with real dates, and amounts and days as numbers."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("cases")
    sheet.append(COLUMNS)
    for row in rows:
        cells: list[str | int | float | date | None] = []
        for column in COLUMNS:
            text = row[column]
            if not text:
                cells.append(None)
            elif column == "start_date":
                cells.append(date.fromisoformat(text))
            elif column == "amount":
                cells.append(float(text))
            elif column == "duration_days":
                cells.append(int(text))
            else:
                cells.append(text)
        sheet.append(cells)
    packed = io.BytesIO()
    book.save(packed)
    _write_undated(path, packed)


def _write_undated(path: Path, packed: io.BytesIO) -> None:
    """Write a workbook again without the time of its making, so that its bytes repeat."""
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"[0-9]{4}-[0-9-]+T[0-9:.]+Z", b"2026-01-01T00:00:00Z", content)
            target.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files and say what is in them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=DEFAULT_CASES, help="number of good cases")
    parser.add_argument("--seed", default=DEFAULT_SEED, help="everything follows from it")
    parser.add_argument("--start-date", type=date.fromisoformat, default=DEFAULT_START)
    parser.add_argument("--out", type=Path, default=Path("var/demo"), help="folder of the files")
    parser.add_argument("--xlsx", action="store_true", help="write cases.xlsx too")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    cases = good_cases(options.seed, options.cases, options.start_date)
    bad = bad_cases(options.seed, options.start_date)
    write_csv(options.out / "cases.csv", cases)
    write_csv(options.out / "bad_cases.csv", [row.cells for row in bad])
    if options.xlsx:
        write_xlsx(options.out / "cases.xlsx", cases)
    counties = {row["region_code"] for row in cases}
    example = parse_region(min(counties, default="510722"))
    print(
        f"{len(cases)} cases in {len(counties)} counties "
        f"(such as {full_name(example, options.start_date)}) and "
        f"{len({row.code for row in bad if row.code})} kinds of bad row in {options.out}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
