"""Frozen encoders: text or photo → unit vector, each distinct content encoded once.

cache                  Each distinct text or photo is encoded once, ever: vectors by encoder
                       fingerprint and content hash
catalogue_vectors      The vectors of a whole catalogue, by column and encoder, and those of the
                       queries that are held against them
clip                   Text and photo → one space: a CLIP-like model through sentence-transformers
comparisons            Which cosines a set of encoders can take between a query and a product:
                       text–text, photo–photo, text–photo
folder_sums            Sums of a fitted encoder's files, checked before a vector is made
joined                 Several encoders of one modality as one: their vectors laid end to end
protocol               What an encoder is, and the few lines that every encoder shares
registry               Which encoders there are: each `kind` of the config with the class that it makes
shards                 Vectors on disk: a folder of shards that are written once, whole, and never
                       changed
vectors                Cosines of unit vectors: of given pairs, and of the nearest items of a whole
                       catalogue
fitting/               What makes encoders: aligned photo encoders, and text encoders distilled
image/                 Photo → vector
nearest/               The nearest items of a catalogue by cosine, without reading every vector whole
text/                  Text → vector
"""

from features.encoders.cache import CacheConfig, EmbeddingCache
from features.encoders.protocol import Encoder, EncoderSettings, Fittable
from features.encoders.registry import EncoderConfig, default_encoders, known_kinds, make_encoder, register

__all__ = [
    "CacheConfig",
    "EmbeddingCache",
    "Encoder",
    "EncoderConfig",
    "EncoderSettings",
    "Fittable",
    "default_encoders",
    "known_kinds",
    "make_encoder",
    "register",
]
