"""The HTTP API and the page: `samdb serve`. Handlers parse, call the API or a pipeline, show the answer."""
