"""Personal data at rest: envelope encryption, blind indexes, erasure, case commitments."""

from service.privacy.commitments import case_commitment, case_period
from service.privacy.keyring import DataKey, Keyring
from service.privacy.passphrase import read_passphrase

__all__ = ["DataKey", "Keyring", "case_commitment", "case_period", "read_passphrase"]
