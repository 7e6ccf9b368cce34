"""Gradient-boosted trees: LightGBM, XGBoost, CatBoost behind one protocol.

boosted                What the two boosters share: settings, checks, the mean over bags, saving and
                       loading
catboost_ranker        YetiRank by CatBoost, an optional extra of the installation; on the CPU
committee              Where few queries say when to stop: each bag watches queries that it does not see
lightgbm_ranker        LambdaMART by LightGBM: lambdarank or rank_xendcg, on the CPU or over OpenCL
lightgbm_text          LightGBM's text of a model, checked before the library reads it
trial_load             A model of unknown origin tried in a process of its own
xgboost_json           XGBoost's JSON of a model, checked before the library reads it
xgboost_ranker         LambdaMART by XGBoost: rank:ndcg, rank:map or rank:pairwise, on the CPU or on
                       CUDA
"""
