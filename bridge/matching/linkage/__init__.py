"""Links two files without labels: what the fields are worth is learnt from the files themselves."""
