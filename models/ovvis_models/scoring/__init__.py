"""What is summed up over a video, and how it becomes scores of tracks and classes."""
