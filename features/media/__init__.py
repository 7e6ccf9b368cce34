"""Photos and other files: which columns hold them, what can be read and what is not, decoded.

columns                Photos, sound, video: which columns of a table hold files of some modality
files                  Files of photos, sound, video: regular files of a stated size, read whole or
                       hashed, and nothing else
folder                 What a table names → files in a folder: several names in one field, names in
                       other forms, never outside
picture_alone          JPEG and PNG files without what does not make the picture
photos                 Bytes or a path → an upright RGB photo on white; each photo read once, decoded
                       for a check once for each content, ever
"""
