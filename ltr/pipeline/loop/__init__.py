"""The loop on the demo shop: few judgements, a ranker, shoppers, labels, a better ranker perhaps, an experiment.

at_server        Shopping at a running server, over HTTP
in_memory        Shopping at rankers in this process
judging          Old against new, from what shoppers saw and clicked: interleaved lists, an A/B test
playing          The steps in their order, each one's figures beside the truth, and the decision
server_process   `ltr.serve` as a process of its own
settings         How large a loop, where, and in what world
world            The shop, its people, its candidates: what rankers learn from, and the truth they are measured by
"""

from ltr.pipeline.loop.at_server import put_in_place
from ltr.pipeline.loop.playing import Played, play
from ltr.pipeline.loop.settings import LoopSettings

__all__ = ["LoopSettings", "Played", "play", "put_in_place"]
