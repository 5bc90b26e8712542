"""Data sets of photographs.

A data set is a function that returns a `photos.PhotoSet`, the files by role: `folder.folder`, `fivek.fivek`,
`open_sets.open_set`, `open_sets.sample`. `pack.pack_set` decodes the files once.
"""
