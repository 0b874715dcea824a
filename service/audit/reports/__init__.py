"""The report that an auditor hands over: pages for people, and a signed manifest of its files.

::

    replay ─► series ─► figures ─► content ─┬─► page (HTML) ─┐
    each event          charts,             └─► pdf ─────────┤
                        tables                               ├─► folder ─► manifest ─► signature
    replay.json, data tables ────────────────────────────────┘

What people read is made once (:mod:`service.audit.reports.content`), and drawn once
(:mod:`service.audit.reports.charts`): the page and the PDF only write it down. Both are the same
bytes for the same replay.
"""
