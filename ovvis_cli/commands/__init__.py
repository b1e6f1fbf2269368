"""One thin module a command: parse, call one library function, render."""
