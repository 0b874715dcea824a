"""Cases: what each person is to receive and why, and who decided it."""

from service.cases.filters import CaseFilter
from service.cases.imports import ReadFile, check_file, get_import, import_file, read_file
from service.cases.models import Beneficiary, Case, Wallet
from service.cases.people import Person, erase_beneficiary, find_beneficiary, reveal_person
from service.cases.service import CasePage, count_cases, decide, get_case, list_cases
from service.cases.states import CaseState

__all__ = [
    "Beneficiary",
    "Case",
    "CaseFilter",
    "CasePage",
    "CaseState",
    "Person",
    "ReadFile",
    "Wallet",
    "check_file",
    "count_cases",
    "decide",
    "erase_beneficiary",
    "find_beneficiary",
    "get_case",
    "get_import",
    "import_file",
    "list_cases",
    "read_file",
    "reveal_person",
]
