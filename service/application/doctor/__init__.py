"""``relief doctor``: whether everything is there that paying needs, and is what it should be."""

from service.application.doctor.checks import Check, Status
from service.application.doctor.examination import examine

__all__ = ["Check", "Status", "examine"]
