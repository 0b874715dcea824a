// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What is overdue: amounts by the day they fall due, and a cursor that sums the days gone by
/// @notice A day is Unix time / 86,400, so it changes at midnight UTC. An amount due on a day is overdue from that day's
/// midnight. Days before the cursor are in `passed`, the later ones in their buckets. The cursor passes each day once
/// and stops behind the last bucket in use, so additions share the work: no call ever reads more days than lie between
/// an addition and its due day.
library OverdueDays {
    /// @param passed Amount of the days before `next`, base units.
    /// @param next The first day that is not summed yet.
    /// @param last The latest day with a bucket.
    /// @param dueOn Amount due on a day; of days before `next` no longer kept up.
    struct Sums {
        uint80 passed;
        uint40 next;
        uint40 last;
        mapping(uint256 day => uint256 amount) dueOn;
    }

    error DueDayPassed(uint256 dueDay, uint256 today);

    /// @notice Adds `amount`, due on `dueDay`, and returns what is overdue today, `amount` apart.
    /// @param today Never before the last addition's (block time only grows).
    /// @param dueDay After `today`.
    function add(Sums storage self, uint256 today, uint256 dueDay, uint256 amount) internal returns (uint256 sum) {
        require(dueDay > today, DueDayPassed(dueDay, today));
        sum = overdue(self, today);
        self.passed = uint80(sum);
        self.next = uint40(today + 1);
        if (dueDay > self.last) self.last = uint40(dueDay);
        self.dueOn[dueDay] += amount;
    }

    /// @notice Takes away `amount`, which was added with this `dueDay` and not taken away before.
    function settle(Sums storage self, uint256 dueDay, uint256 amount) internal {
        if (dueDay < self.next) self.passed -= uint80(amount);
        else self.dueOn[dueDay] -= amount;
    }

    /// @notice What is overdue on `today`, base units.
    function overdue(Sums storage self, uint256 today) internal view returns (uint256 sum) {
        sum = self.passed;
        uint256 last = self.last < today ? self.last : today;
        for (uint256 day = self.next; day <= last; ++day) {
            sum += self.dueOn[day];
        }
    }
}
