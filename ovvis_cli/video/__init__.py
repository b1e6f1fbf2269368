"""Reading and writing of video; the only package that imports `av`."""
