"""From what shoppers did to labels, features and recommendations: the steps that commands share.

behaviour              From a config's events to the tables of behaviour features, and one person out
                       of all of them
click_lists            The shown lists of a set's events as what training learns from, with the
                       features of every product shown
labelling              From events to judgements: read, cleaned, labelled, set beside human ones,
                       written
recommending           From a log of events, and the catalogue where there is one, to what comes next
                       for somebody
"""
