"""The database: sessions, lock, ledger, and what the server shows of tables and sessions."""
