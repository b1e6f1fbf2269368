"""Running a model on frames: engine, batches, profiler, background writer."""
