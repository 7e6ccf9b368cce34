"""Logistic regression and neural networks, pointwise and listwise.

early_stopping         When a network has learnt enough: nDCG on held-out queries, and the weights of
                       the best epoch
embedded_fields        Which features are embeddings of which field, told by their names, and which
                       fields meet in a pair
fusion_network         One network over frozen embeddings and numbers: a tower per modality, and gates
                       that weigh them
grade_classes          Ranking as classification: grades as classes, and a score from their
                       probabilities
listwise_losses        Losses over whole lists: scores in, one number out, differentiable
logistic_ranker        Logistic regression over standardised features: pointwise, on grades or on
                       relevance
mlp_ranker             A multilayer perceptron over standardised features, pointwise: the field's older
                       recipe
network                What the two networks share: training with early stopping, the mean over bags,
                       saving
network_settings       Settings of the networks; kept apart from them so that reading a config needs no
                       torch
neural_ranker          Model-level fusion: a network over embeddings and numbers, trained on whole
                       lists of products
query_batches          Batches of whole queries for a network: rows flat for its layers, padded lists
                       for listwise losses
standardiser           Features as a linear model or a network takes them: of one scale, without gaps,
                       categories one-hot
"""
