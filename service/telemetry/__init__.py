"""What the processes tell of themselves: log lines, metrics, and the request that caused them.

It knows nothing of cases, payouts or chains; the stages call it.
"""
