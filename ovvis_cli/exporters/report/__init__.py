"""HTML pages: the report of a video, and the index over a folder of results. Templates are in `pages/`."""
