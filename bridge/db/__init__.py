"""The database: connections and transactions, tables, who owns which shard, and an embedded PostgreSQL for zero set-up."""
