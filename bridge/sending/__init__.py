"""The outbox: each effect once, in order, whatever breaks. Put, claim, commit the intent, send, record, reconcile."""
