"""Photo → vector.

aligned                Photo → the space of a text encoder: an aligned encoder fitted on the shop's own
                       catalogue, now frozen
aligned_network        The aligned encoder: photo → backbone → projection into the space of a text encoder
aligned_settings       How an aligned encoder is built and fitted; kept apart from the fitting so that
                       reading a config needs no torch
photo_loading          Photos read, decoded and shrunk by worker threads ahead of the network, in
                       order, a few batches at most
plain                  Photos compared without any learning, by their pixels or by their colours: what
                       a network has to beat
pretrained             Photo → vector: any torchvision classification backbone, its classifier taken
                       off
"""
