"""The loop on the demo shop: few judgements, a ranker, shoppers, labels, a better ranker perhaps, an experiment.

experiments   Old against new on the same shoppers: interleaved lists, an A/B test
playing       The steps in their order, each one's figures beside the truth, and the decision
settings      How large a loop, and in what world
world         The shop, its people, its candidates: what rankers learn from, and the truth they are measured by
"""

from ltr.pipeline.loop.playing import play
from ltr.pipeline.loop.settings import LoopSettings

__all__ = ["LoopSettings", "play"]
