"""Many videos: shards, the journal of a batch, its status, estimates, and how videos run side by side."""
