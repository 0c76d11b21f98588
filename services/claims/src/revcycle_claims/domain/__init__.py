"""Pure decisions on claims, the ledger, postings and deposits. No I/O, no clock, no chance."""
