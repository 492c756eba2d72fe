"""The command line: parse, call the API, show. No torch is imported before a command needs it."""
