"""What makes encoders: aligned photo encoders, and smaller text encoders distilled from larger ones.

aligned_start          What a fitting starts from: a new aligned encoder, or one that was fitted before
aligned_training       Fit an aligned encoder to a frozen text space: photos beside their texts, all other
                       texts of the batch away
contrastive            The arithmetic of fitting photos to texts: loss, recall, learning rate and
                       augmentation
distillation_settings  How a smaller text encoder is made of a larger one; kept apart from the making
                       so that a config needs no torch
pair_sampling          (photo, text) pairs of a shop: which there are, which are held out, and how a
                       batch is drawn
static_distillation    Make a static text encoder of a frozen one: a vector for every token and for the
                       catalogue's own words
text_distillation      Fit a student with fewer layers to a frozen text encoder's vectors, on the
                       catalogue's own texts, no labels
"""
