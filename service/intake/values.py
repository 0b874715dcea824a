"""Checks of single values: each returns the value in canonical form or raises what is wrong."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from stdnum.cn import ric

from service.intake.rows import Kind
from service.privacy.commitments import canonical_cause
from service.regions import Region, known_on, parse_region, validity_of
from service.units import MAX_ENTRY_BASE_UNITS, TOKEN_DECIMALS, eip55, parse_amount

MIN_DURATION_DAYS = 1
MAX_DURATION_DAYS = 3660
"""Ten years with their leap days."""

EARLIEST_START = date(2000, 1, 1)
LATEST_START = date(2100, 1, 1)

MAX_NAME_CHARACTERS = 100
MAX_CAUSE_CHARACTERS = 200

ID_NUMBER_CHARACTERS = 18
FIRST_GENERATION_CHARACTERS = 15
_EARLIEST_BIRTH_YEAR = 1880

_CASE_REF = re.compile(r"[^\W_][\w./-]{0,63}")
_ID_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_MOBILE = re.compile(r"(?:\+?86[- ]?)?(1[3-9][0-9])[- ]?([0-9]{4})[- ]?([0-9]{4})")
_LANDLINE = re.compile(r"(0[1-9][0-9]{1,2})[- ]?([1-9][0-9]{6,7})")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"[0-9]{1,6}")
_MIDDLE_DOTS = re.compile(r" ?[\u00b7\u2022\u2027\u22c5\u30fb\uff65\u0387\u2219\u16eb] ?")
_NAME_MARKS = frozenset(" \u00b7'-.")


class Refused(ValueError):
    """A value is wrong.

    Attributes
    ----------
    code
        Stable kind of the problem.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_case_ref(text: str) -> str:
    """Read a case reference: 1 to 64 letters, digits and ``. / - _``, a letter or digit first.

    Raises
    ------
    Refused
        ``invalid_case_ref``.
    """
    if _CASE_REF.fullmatch(text) is None:
        message = "write up to 64 letters, digits and . / - _, beginning with a letter or digit"
        raise Refused("invalid_case_ref", message)
    return unicodedata.normalize("NFC", text)


def read_name(text: str) -> str:
    """Read a name: letters of any script; the many middle dots in use become U+00B7.

    Raises
    ------
    Refused
        ``invalid_name``.
    """
    name = _MIDDLE_DOTS.sub("\u00b7", unicodedata.normalize("NFC", text))
    name = " ".join(name.split())
    letters = sum(unicodedata.category(character)[0] in "LM" for character in name)
    marks = sum(character in _NAME_MARKS for character in name)
    if len(name) > MAX_NAME_CHARACTERS or letters == 0 or letters + marks < len(name):
        message = f"a name has letters, spaces and middle dots only, at most {MAX_NAME_CHARACTERS}"
        raise Refused("invalid_name", message)
    return name


def read_id_number(text: str) -> str:
    """Read a resident identity number (GB 11643-1999): form, birth date, check digit.

    The six digits of the place are checked as far as the province only: numbers were given from
    1986 on, to people born long before, with the codes in force at the time of giving, and
    later ones stay as they are, so that no table of a birth year's counties decides.

    Raises
    ------
    Refused
        ``id_number_length``, ``id_number_characters``, ``id_number_check_digit``,
        ``id_number_birth_date`` or ``id_number_region``.
    """
    if len(text) == FIRST_GENERATION_CHARACTERS:
        message = "15-digit numbers are no longer valid: use the 18 characters of the present card"
        raise Refused("id_number_length", message)
    if len(text) != ID_NUMBER_CHARACTERS:
        raise Refused("id_number_length", f"an identity number has 18 characters, not {len(text)}")
    if _ID_NUMBER.fullmatch(text) is None:
        message = "an identity number has 17 digits and then a digit or X"
        raise Refused("id_number_characters", message)
    number = text.upper()
    if ric.calc_check_digit(number) != number[-1]:
        message = "the check digit does not fit: a digit is wrong or two are swapped"
        raise Refused("id_number_check_digit", message)
    try:
        born = birth_date(number)
    except ValueError:
        raise Refused("id_number_birth_date", "its date of birth is no date") from None
    if born.year < _EARLIEST_BIRTH_YEAR:
        raise Refused("id_number_birth_date", f"its date of birth is before {_EARLIEST_BIRTH_YEAR}")
    if number[0] == "0" or number[1] == "0" or not validity_of(Region(int(number[:2]), 2)):
        raise Refused("id_number_region", "its first two digits are no province")
    return number


def birth_date(id_number: str) -> date:
    """Return the date of birth in an identity number: its digits 7 to 14.

    Raises
    ------
    ValueError
        When they are no date.
    """
    return date(int(id_number[6:10]), int(id_number[10:12]), int(id_number[12:14]))


def read_phone(text: str) -> str:
    """Read a mobile or landline number of mainland China as digits without country prefix.

    Raises
    ------
    Refused
        ``invalid_phone``.
    """
    match = _MOBILE.fullmatch(text) or _LANDLINE.fullmatch(text)
    if match is None:
        message = "write a mobile number of 11 digits, or a landline number with its area code"
        raise Refused("invalid_phone", message)
    return "".join(match.groups())


def read_region(text: str) -> Region:
    """Read a region code that exists or existed.

    Raises
    ------
    Refused
        ``invalid_region_code`` or ``unknown_region``.
    """
    try:
        region = parse_region(text)
    except ValueError as error:
        raise Refused("invalid_region_code", str(error)) from None
    if not validity_of(region):
        raise Refused("unknown_region", f"GB/T 2260 has no code {text}")
    return region


def check_region_date(region: Region, start_date: date) -> None:
    """Refuse a code that was not in force in the year of the case.

    Raises
    ------
    Refused
        ``region_not_in_force``.
    """
    if not known_on(region, start_date):
        years = ", ".join(
            f"{validity.name} {validity.first_year or ''}-{validity.last_year or ''}"
            for validity in validity_of(region)
        )
        message = f"the code was not in force in {start_date.year} ({years})"
        raise Refused("region_not_in_force", message)


def read_wallet_address(text: str) -> str:
    """Read an address in EIP-55 form, which guards against typing errors.

    Raises
    ------
    Refused
        ``invalid_address``, ``zero_address``, ``address_not_checksummed`` or
        ``address_checksum``.
    """
    if _ADDRESS.fullmatch(text) is None:
        raise Refused("invalid_address", "an address is 0x and 40 hexadecimal digits")
    digits = text[2:]
    if int(digits, 16) == 0:
        raise Refused("zero_address", "the zero address belongs to nobody")
    checksummed = eip55(text)
    if text == checksummed:
        return text
    if digits in (digits.lower(), digits.upper()):
        message = f"the address has no checksum; if every digit is right, write {checksummed}"
        raise Refused("address_not_checksummed", message)
    raise Refused("address_checksum", "the checksum does not fit: a digit is wrong (EIP-55)")


def read_kind(text: str) -> Kind:
    """Read the kind of payment.

    Raises
    ------
    Refused
        ``invalid_kind``.
    """
    if text == "one_off":
        return "one_off"
    if text == "stream":
        return "stream"
    raise Refused("invalid_kind", "write one_off or stream")


def read_amount(text: str) -> int:
    """Read a human amount as base units.

    Raises
    ------
    Refused
        ``amount_negative``, ``amount_separator``, ``amount_decimals``, ``amount_zero``,
        ``amount_too_large`` or ``invalid_amount``.
    """
    try:
        return parse_amount(text)
    except ValueError as error:
        raise Refused(_amount_code(text), str(error)) from None


def _amount_code(text: str) -> str:  # noqa: PLR0911  # one line a reason reads best
    whole, _, fraction = text.partition(".")
    if text.startswith("-"):
        return "amount_negative"
    if "," in text or "\uff0c" in text:
        return "amount_separator"
    if not (text.isascii() and whole.isdigit() and (fraction or "0").isdigit()):
        return "invalid_amount"
    if len(fraction) > TOKEN_DECIMALS:
        return "amount_decimals"
    if not whole.strip("0") and not fraction.strip("0"):
        return "amount_zero"
    if int(whole) * 10**TOKEN_DECIMALS > MAX_ENTRY_BASE_UNITS - 10**TOKEN_DECIMALS:
        return "amount_too_large"
    return "invalid_amount"


def read_start_date(text: str) -> date:
    """Read an ISO 8601 calendar date between 2000 and 2100.

    Raises
    ------
    Refused
        ``invalid_date`` or ``date_out_of_range``.
    """
    message = "write a calendar date as 2026-11-01"
    if _DATE.fullmatch(text) is None:  # fromisoformat reads other forms too
        raise Refused("invalid_date", message)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused("invalid_date", message) from None
    if not EARLIEST_START <= day < LATEST_START:
        raise Refused("date_out_of_range", "the date is not between 2000 and 2100")
    return day


def read_duration(text: str, kind: Kind) -> int | None:
    """Read the days of a stream; a one-off payment has none.

    Raises
    ------
    Refused
        ``duration_not_allowed``, ``duration_missing``, ``invalid_duration`` or
        ``duration_out_of_range``.
    """
    if kind == "one_off":
        if text:
            raise Refused("duration_not_allowed", "a one_off payment has no duration: leave empty")
        return None
    if not text:
        raise Refused("duration_missing", "a stream needs its duration in days")
    if _WHOLE.fullmatch(text) is None:
        raise Refused("invalid_duration", "write a whole number of days")
    days = int(text)
    if not MIN_DURATION_DAYS <= days <= MAX_DURATION_DAYS:
        message = f"a duration is {MIN_DURATION_DAYS} to {MAX_DURATION_DAYS} days"
        raise Refused("duration_out_of_range", message)
    return days


def read_cause(text: str) -> str:
    """Read the cause in its canonical form, up to 200 characters, a letter or digit first.

    Raises
    ------
    Refused
        ``invalid_cause``.
    """
    cause = canonical_cause(unicodedata.normalize("NFC", text))
    if not cause[:1].isalnum() or len(cause) > MAX_CAUSE_CHARACTERS:
        message = f"begin with a letter or digit, up to {MAX_CAUSE_CHARACTERS} characters"
        raise Refused("invalid_cause", message)
    return cause
