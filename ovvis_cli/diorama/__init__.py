"""The procedural world that the embedded model is trained and tested on.

`canvas` and `look` are what `kinds` draw with; `cutout` makes one individual of a kind; `textures` and
`background` paint what is behind; `motion`, `compositing` and `effects` turn cut-outs into a film (`scene`)
or one picture (`single`); `splits` says who appears where; `writer` puts videos and `annotations` on disk.
"""
