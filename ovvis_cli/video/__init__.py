"""Reading and writing video. The only place that imports `av`."""
