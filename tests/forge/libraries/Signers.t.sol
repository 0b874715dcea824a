// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signers} from "../../../contracts/libraries/Signers.sol";
import {Cheats} from "../Vm.sol";

/// @title Answers an ERC-1271 or ERC-7913 question with any word and any length
contract Answering {
    bytes private _answer;

    constructor(bytes memory answer) {
        _answer = answer;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        return _answer;
    }
}

contract SignersTest is Cheats {
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint256 private constant P256_X = 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296;
    uint256 private constant P256_Y = 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5;

    function isEoa(bytes calldata signer, bytes32 digest, bytes calldata signature) external pure returns (bool) {
        return Signers.isEoaSignature(signer, digest, signature);
    }

    function isAccount(bytes calldata signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signers.isAccountSignature(signer, digest, signature);
    }

    function isKey(bytes calldata signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signers.isKeySignature(signer, digest, signature);
    }

    function requireWellFormed(uint8 signerType, bytes calldata signer) external view {
        Signers.requireWellFormed(signerType, signer);
    }

    function requireContract(address account) external view {
        Signers.requireContract(account);
    }

    function _isTaken(uint8 signerType, bytes memory signer) private view returns (bool taken) {
        try this.requireWellFormed(signerType, signer) {
            taken = true;
        } catch {}
    }

    function _signed(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    // ------------------------------------------------------------------------------------------------------- accounts

    function testFuzz_anAccountsSignatureIsItsOwnOverThatDigestAlone(
        uint256 key,
        uint256 other,
        bytes32 digest,
        bytes32 otherDigest
    ) external view {
        key = between(key, 1, CURVE_ORDER - 1);
        other = between(other, 1, CURVE_ORDER - 1);
        bytes memory signer = abi.encodePacked(vm.addr(key));
        bytes memory signature = _signed(key, digest);
        vm.assertTrue(this.isEoa(signer, digest, signature), "its own");
        vm.assertEq(this.isEoa(abi.encodePacked(vm.addr(other)), digest, signature), other == key);
        vm.assertEq(this.isEoa(signer, otherDigest, signature), digest == otherDigest);
    }

    function testFuzz_noOtherBytesAreAnAccountsSignature(
        uint256 key,
        bytes32 digest,
        uint256 place,
        uint8 changed,
        uint256 length
    ) external view {
        key = between(key, 1, CURVE_ORDER - 1);
        bytes memory signer = abi.encodePacked(vm.addr(key));
        bytes memory signature = _signed(key, digest);
        place %= 65;
        bytes memory altered = abi.encodePacked(signature);
        altered[place] = bytes1(uint8(altered[place]) ^ uint8(between(changed, 1, 255)));
        vm.assertTrue(!this.isEoa(signer, digest, altered), "a byte changed");
        bytes memory cut = new bytes(length % 130);
        for (uint256 i; i < cut.length && i < 65; ++i) {
            cut[i] = signature[i];
        }
        vm.assertEq(this.isEoa(signer, digest, cut), cut.length == 65);
    }

    function testFuzz_aMirroredSignatureIsNone(uint256 key, bytes32 digest) external view {
        key = between(key, 1, CURVE_ORDER - 1);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        bytes memory mirrored = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.assertTrue(!this.isEoa(abi.encodePacked(vm.addr(key)), digest, mirrored), "mirrored");
    }

    function testFuzz_randomBytesAreNobodysSignature(address account, bytes32 digest, bytes memory garbage)
        external
        view
    {
        vm.assume(account != address(0));
        vm.assertTrue(!this.isEoa(abi.encodePacked(account), digest, garbage), "random");
        // A failed recovery gives the zero address, which is nobody.
        vm.assertTrue(!this.isEoa(abi.encodePacked(address(0)), digest, garbage), "nobody's");
    }

    // ------------------------------------------------------------------------------------------------------ contracts

    function testFuzz_aContractAccountSignsByTheExactMagicWordAlone(
        bytes32 digest,
        bytes memory signature,
        bytes memory answer
    ) external {
        bytes memory signer = abi.encodePacked(address(new Answering(answer)));
        bool magic = answer.length >= 32 && abi.decode(answer, (bytes32)) == bytes32(bytes4(0x1626ba7e));
        vm.assertEq(this.isAccount(signer, digest, signature), magic);
        signer = abi.encodePacked(address(new Answering(abi.encode(bytes4(0x1626ba7e)))));
        vm.assertTrue(this.isAccount(signer, digest, signature), "the magic word");
    }

    function testFuzz_noContractStandsWhereNothingOrADelegationDoes(address to, bytes memory code) external {
        address account = address(0xACC);
        if (code.length >= 3 && bytes3(code) == 0xef0100) code[0] = 0;
        bytes memory none = abi.encodeWithSelector(Signers.NoContract.selector, account);
        vm.expectRevert(none);
        this.requireContract(account);
        vm.etch(account, abi.encodePacked(hex"ef0100", to));
        vm.expectRevert(none);
        this.requireContract(account);
        vm.expectRevert(none);
        this.isAccount(abi.encodePacked(account), bytes32(0), "");
        vm.etch(account, abi.encodePacked(uint8(0), code));
        this.requireContract(account);
    }

    function testFuzz_aKeysSignatureIsWhatItsVerifierSays(
        bytes32 digest,
        bytes memory signature,
        bytes memory answer
    ) external {
        bytes memory point = abi.encodePacked(P256_X, P256_Y);
        bytes memory signer = abi.encodePacked(address(new Answering(answer)), point);
        bool magic = answer.length >= 32 && abi.decode(answer, (bytes32)) == bytes32(bytes4(0x024ad318));
        vm.assertEq(this.isKey(signer, digest, signature), magic);
        signer = abi.encodePacked(address(new Answering(abi.encode(bytes4(0x024ad318)))), point);
        vm.assertTrue(this.isKey(signer, digest, signature), "the magic word");
    }

    // ----------------------------------------------------------------------------------------------------- well-formed

    function testFuzz_onlyTheThreeTypesAreTaken(uint8 signerType, bytes memory signer) external {
        if (signerType >= 1 && signerType <= 3) signerType += 3;
        vm.expectRevert(abi.encodeWithSelector(Signers.SignerTypeUnsupported.selector, signerType));
        this.requireWellFormed(signerType, signer);
    }

    function testFuzz_anAccountIsTwentyBytesThatAreNotZero(bytes memory signer, address account) external view {
        bool takes = signer.length == 20 && bytes20(signer) != 0;
        vm.assertEq(_isTaken(1, signer), takes);
        vm.assertEq(_isTaken(1, abi.encodePacked(account)), account != address(0));
        vm.assertTrue(_isTaken(2, abi.encodePacked(address(this))), "this contract");
        vm.assertTrue(!_isTaken(2, abi.encodePacked(address(this), uint8(0))), "21 bytes");
    }

    function testFuzz_aKeyIsAVerifierAndAPointOfTheCurve(address verifier, uint256 x, uint256 y, bytes memory signer)
        external
        view
    {
        vm.assertTrue(_isTaken(3, abi.encodePacked(verifier, P256_X, P256_Y)), "the generator");
        vm.assertTrue(!_isTaken(3, abi.encodePacked(verifier, P256_X, P256_Y, uint8(0))), "85 bytes");
        vm.assertTrue(!_isTaken(3, abi.encodePacked(verifier, P256_X, P256_Y ^ between(y, 1, 255))), "beside it");
        if (x != P256_X) vm.assertTrue(!_isTaken(3, abi.encodePacked(verifier, x, P256_Y)), "another x");
        if (signer.length != 84) vm.assertTrue(!_isTaken(3, signer), "another length");
    }
}
