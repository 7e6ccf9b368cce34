"""Strategies of fusion, trained on the same splits, and compared.

comparison             Strategies of fusion side by side: figures, every pair tested, and what that
                       says in plain words
strategies             The strategies of fusion, trained on the same splits: features joined, decisions
                       joined, one network
"""
