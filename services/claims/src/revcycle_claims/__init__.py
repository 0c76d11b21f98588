"""Claims, holds, posting, the double-entry ledger, patient bills."""
