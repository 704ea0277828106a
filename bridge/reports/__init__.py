"""What a person may see: read-only queries behind the console, the API and the command line. Nothing here writes."""
