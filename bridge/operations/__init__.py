"""What a person may do: each action is one transaction that also writes its line of the audit. Who may do it is the entrypoints' affair."""
