"""BURST's official evaluation (HOTA, DetA, AssA and track AP by class), without TrackEval."""
