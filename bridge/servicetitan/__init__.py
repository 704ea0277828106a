"""ServiceTitan's API v2 and nothing of ours: one typed call per operation, every answer an `Outcome`."""
