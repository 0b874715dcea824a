"""Where everything stands, in numbers: for metrics, ``relief status`` and ``/readyz``.

``figures`` asks the database, ``chain`` the node; ``gauges`` shows both to Prometheus.
"""
