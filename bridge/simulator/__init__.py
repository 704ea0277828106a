"""A stand-in ServiceTitan: the operations and semantics of its public API v2, in memory, with a ledger of the truth.

It learns ServiceTitan from its documents and shares no code with the rest of the program, so that a misreading on one side
shows as a failing test instead of agreeing with itself.

    app.py        the Litestar application: the API door, the token door, the control API, webhook sending
    state.py      `Simulator`: tenants, credentials, clock, ledger, faults; start here
    door.py       one request: who asks, may they, what is asked, apply, misbehave, answer
    contract/     the operations and schemas served, one text file for each module of the API
"""
