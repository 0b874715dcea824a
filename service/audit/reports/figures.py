"""The report's charts, in their order."""

from __future__ import annotations

from service.audit.report import ReplayReport
from service.audit.reports.control_figures import grants, headroom, lane, officers, reserve
from service.audit.reports.figure import Figure
from service.audit.reports.money_figures import flows, paid_by_programme, paid_by_region, standing
from service.audit.reports.series import Series


def figures(report: ReplayReport, series: Series) -> list[Figure]:
    """Return every figure of a report."""
    return [
        paid_by_programme(series),
        paid_by_region(series),
        flows(report, series),
        standing(series),
        officers(series),
        reserve(report, series),
        headroom(report, series),
        lane(report, series),
        grants(report),
    ]
