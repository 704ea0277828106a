"""The outbox: each effect once, in order, whatever breaks. Put, claim, commit the intent, send, record, reconcile.

In the order of its way, a message meets:

    outbox, message           put with the decision that wants it
    owner, tenant             in memory: whose it is, and what limits it
    backlog, lanes            what it waits for and stands behind
    claimer, horizon          read, and nothing is skipped that commits late
    sender, handing           its intent committed, by itself or with the decision; then sent, once
    far_side, effects, bell   done: in ServiceTitan (a module for each thing it has), or an alert at its address
    recorder, landing, retry  what came of it written down, and what it leads to
    reconciler, findings      looked up where that is in doubt, and what it leads to

`dispatcher` puts these steps together and `run` is the loops around them. Statements stand in `store` (before the send), `records`
(after it), `standing` (what is known beside it) and `holds` (what a person is asked). `control` is what operators may do to a
message, `bulk` to many at once.
"""
