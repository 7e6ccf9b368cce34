"""Photos and other files: which columns hold them, what can be read, decoded ahead of a network.

columns                Photos, sound, video: which columns of a table hold files of some modality
photo_checks           Which photos can be read, remembered by their content: each distinct photo is
                       decoded for this once, ever
photos                 Bytes or a path → an upright RGB photo on white; files that cannot be read are
                       named, not hidden
"""
