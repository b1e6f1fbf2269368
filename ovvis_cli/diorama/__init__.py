"""The procedural world that the embedded models are trained and tested on.

`canvas` and `look` are the drawing tools of `kinds`; `cutout` draws one object of a kind; `textures` and
`background` paint backgrounds; `motion`, `compositing` and `effects` turn cutouts into a video (`scene`) or a
picture (`single`); `splits` assigns kinds to splits and videos; `writer` writes videos and `annotations`.
"""
