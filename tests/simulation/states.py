"""The states that the worlds must come through: a promise that is never put to the test proves nothing."""

NAMED = frozenset(
    {
        "StateUnavailable before it did anything", "TargetUnavailable before it did anything",
        "acknowledge committed and its answer was lost", "intend committed and its answer was lost",
        "observe committed and its answer was lost", "write committed and its answer was lost",
        "claim committed and its answer was lost", "end committed and its answer was lost",
        "killed before intend", "killed after intend", "killed before write", "killed after write",
        "killed before acknowledge", "killed after acknowledge", "killed before transaction",
        "killed after transaction", "killed before end", "killed after observe", "killed before hold",
        "killed after hold", "took over", "took over in mid-batch", "frozen", "fence refused after BEGIN",
        "idle transaction rolled back", "once ran a cycle", "once was refused", "looked up beside a cycle",
        "a person approved", "a person rejected", "half the catalogue zeroed", "half the catalogue deleted",
        "held by zeroed", "held by deleted", "held by changed", "held by total_fall", "held by cross_check",
        "applied zero", "applied deactivate", "verdict partial", "verdict inconsistent", "verdict empty",
        "outcome held", "outcome unauthorized", "outcome stopped", "said absence_unresolved", "said product_gone",
        "said cross_check_differs", "said plan_held", "said plan_approved", "said plan_rejected", "said plan_lapsed",
        "an approval outlived a cycle", "said lease_lost", "said pagination_missing", "said authorized_again",
    }
)  # fmt: skip
