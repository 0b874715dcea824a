// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Sum of amounts over a rolling window of at least 30 days, in one storage word
/// @notice Six buckets of six days, each 36 bits of whole tokens rounded up, and the number of the newest bucket in the
/// top 40 bits. The window is the current bucket and the five before: everything of the last 30 days always counts,
/// and something up to 36 days old may; no calendar boundary lets two sums stand side by side.
library RollingSum {
    uint256 internal constant BUCKET_SECONDS = 6 days;
    uint256 internal constant BUCKETS = 6;
    uint256 private constant BUCKET_BITS = 36;
    uint256 private constant BUCKET_MASK = 2 ** BUCKET_BITS - 1;
    uint256 private constant SUMS_MASK = 2 ** (BUCKET_BITS * BUCKETS) - 1;
    uint256 private constant BASE_UNITS_PER_TOKEN = 1e6;

    error RollingSumOverflow(uint256 tokens);

    /// @notice `word` with `amount` added at `time`, and the window's sum with it, both amounts in base units.
    /// @param time Unix seconds, never before the last addition's bucket (block time only grows).
    function add(uint256 word, uint256 amount, uint256 time) internal pure returns (uint256 updated, uint256 total) {
        uint256 bucket = time / BUCKET_SECONDS;
        uint256 sums = _aged(word, bucket);
        uint256 newest = (sums & BUCKET_MASK) + (amount + BASE_UNITS_PER_TOKEN - 1) / BASE_UNITS_PER_TOKEN;
        require(newest <= BUCKET_MASK, RollingSumOverflow(newest));
        sums = (sums & ~BUCKET_MASK) | newest;
        updated = (bucket << (BUCKET_BITS * BUCKETS)) | sums;
        total = _total(sums);
    }

    /// @notice The window's sum at `time`, base units.
    function at(uint256 word, uint256 time) internal pure returns (uint256) {
        return _total(_aged(word, time / BUCKET_SECONDS));
    }

    /// @dev The buckets as seen from `bucket`, the newest lowest: older ones shift up and out.
    function _aged(uint256 word, uint256 bucket) private pure returns (uint256) {
        uint256 age = bucket - (word >> (BUCKET_BITS * BUCKETS));
        if (age >= BUCKETS) return 0;
        return ((word & SUMS_MASK) << (age * BUCKET_BITS)) & SUMS_MASK;
    }

    function _total(uint256 sums) private pure returns (uint256 tokens) {
        for (uint256 i; i < BUCKETS; ++i) {
            tokens += (sums >> (i * BUCKET_BITS)) & BUCKET_MASK;
        }
        return tokens * BASE_UNITS_PER_TOKEN;
    }
}
