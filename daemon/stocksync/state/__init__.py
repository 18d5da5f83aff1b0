"""What is remembered: snapshot, ledger, cycles, held plans, quarantine and leases."""
