"""Encoders fitted on a shop's own data, as folders.

aligned_encoder        The image encoder of `kind: aligned` fitted on a catalogue's own photos, in the
                       space of its text encoder
fitted_encoders        Which of a config's encoders is fitted on its catalogue, and where it is written
quick_text_encoder     The text encoder of `kind: student` or `kind: static` made of a larger one, on
                       the catalogue's own texts
"""
