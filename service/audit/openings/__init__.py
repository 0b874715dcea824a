"""Openings: whether payouts are of persons and causes that the office can name.

On chain and in manifests a case is 32 keyed bytes. An auditor draws some payouts by the hash of a
block that nobody knew when they were approved, the office names the person, cause and period of
each, and the auditor makes the commitments anew.
"""
