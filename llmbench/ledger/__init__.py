"""Every call and its outcome, durable: the one mechanism of resume, replay and audit.

`Ledger` is a file of SQLite or a database of PostgreSQL; what is recorded is a `CallRecord` per
attempt, failed and cancelled ones included.
"""

from llmbench.ledger.ledger import Ledger
from llmbench.ledger.queries import SpendTotals, Verification

__all__ = ["Ledger", "SpendTotals", "Verification"]
