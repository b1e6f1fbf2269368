"""Search for names among the tracks of many records, from their stored instance tokens."""
