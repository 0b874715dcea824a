"""The vault's parts: their code runs on the vault's storage, and by themselves they are nobody."""

import brownie
import pytest
from deployment import SIMPLE
from outcomes import refused, unauthorized


@pytest.fixture
def administration(vault, VaultAdministration):  # noqa: N803 - Brownie's name
    """The part for housekeeping, at its own address."""
    return VaultAdministration.at(vault.administration())


@pytest.fixture
def corrections(vault, VaultCorrections):  # noqa: N803 - Brownie's name
    """The part for corrections, at its own address."""
    return VaultCorrections.at(vault.corrections())


def test_every_contract_of_the_vault_fits_the_limit_of_code(vault, administration, corrections):
    for part in (vault, administration, corrections):
        assert 0 < len(brownie.web3.eth.get_code(part.address)) <= 24_576


def test_a_part_by_itself_knows_no_programme_and_no_batch(
    relief, vault, administration, corrections
):
    batch = relief.batch([(relief.payees(1)[0], 10)])
    relief.approve(batch)
    with refused("UnknownProgramme", SIMPLE):
        administration.applyBudgetIncrease(SIMPLE, {"from": relief.anyone})
    with refused("UnknownBatch", batch.id):
        signed = relief.signed_action(vault, "BatchCancellation", {"batchId": batch.id}, (2, 3))
        corrections.cancelBatch(batch.id, *signed, {"from": relief.anyone})


def test_a_part_by_itself_obeys_nobody_with_a_role_at_the_vault(relief, administration):
    with unauthorized(relief.guardian):
        administration.pause(1, {"from": relief.guardian})


def test_what_is_signed_for_the_vault_does_nothing_at_a_part(relief, vault, administration):
    vault.pause(1, {"from": relief.guardian})
    signed = relief.signed_action(vault, "Unpause", {"operations": 1}, (6, 7))
    with brownie.reverts(revert_pattern="WrongSignature: .*"):
        administration.unpause(1, *signed, {"from": relief.anyone})
    assert vault.pausedOperations() == 1


def test_a_function_that_the_vault_does_not_declare_is_refused(relief, vault):
    with brownie.reverts(""):
        relief.anyone.transfer(vault, 0, data="0xdeadbeef")
