"""What an audit hands over as tables: SQLite, Parquet, CSV and JSON Lines of the same rows.

:mod:`~service.audit.exports.tables` states every table once; whatever is written, or said of a
table in docs/audit-tables.md, comes from there.

::

    replay ─► state, findings ─┐
        └───► recorder ────────┴─► tables ─► sqlite_file, parquet_files, csv_files, jsonl_files
              (what State does                └────────────── folder (a draft, renamed) ─────┘
               not keep, on disk)
"""
