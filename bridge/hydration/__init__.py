"""Fetching what a thin payload only names: a connector describes the request, this performs it and says what came of it.

`addresses` and `targets` say where a fetch may go, `transport` holds every connection to that, `answers` reads what came
back, `bounds` says how long to try, `fetcher` does it. Nothing here is stored: `pipeline.completing` keeps the answers.
"""
