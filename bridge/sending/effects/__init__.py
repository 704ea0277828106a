"""What commands do in ServiceTitan: each one's effect made, and looked up where it is in doubt.

`execute` is the table from command to code: `bookings`, `leads`, `parties` (new customers and locations) and what customers and
locations have: `contacts`, `fields`, `notes`, `preferences`, `tags`. `wire` writes requests, `sightings` knows a read of the past.
"""
