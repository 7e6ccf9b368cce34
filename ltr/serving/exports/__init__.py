"""A run for another engine, with the proof that it scores alike there.

export                 A run → a folder for another engine: its model, what it must be given, and the
                       proof that it scores alike
engines                What each engine's versions make of a feature that a product lacks, and which
                       models they therefore cannot hold
trees                  Boosted trees as arrays, the same for every library they come from and every
                       engine they go to
lightgbm_trees         LightGBM's text of a model → trees
xgboost_trees          XGBoost's JSON of a model → trees
nested_json            Trees as XGBoost dumps them, which the plugins of Elasticsearch and OpenSearch
                       and Vespa read
onnx_model             Trees as an ONNX graph of one operator
treelite_model         Trees as a Treelite checkpoint
feature_set            What an engine must supply for each feature of a model, and the engine's own
                       definitions of them
plugin_index           What an index and a search of Elasticsearch or OpenSearch need for a feature set
vespa_profile          Rank profiles for Vespa: features by attributes, parameters, or the engine itself
vespa_trees            Trees as Vespa compares them in 32 bits
proof                  Does the engine score as the model does?
"""

from ltr.serving.arguments import TARGETS, Target
from ltr.serving.exports.engines import Engine
from ltr.serving.exports.export import export_run, forest_of
from ltr.serving.exports.proof import Proof

__all__ = ["TARGETS", "Engine", "Proof", "Target", "export_run", "forest_of"]
