"""What an index and a search of Elasticsearch or OpenSearch need for a feature set: fields, and parameters.

Read from the set itself, so that the three agree. Hits behind the window keep their own score times `query_weight` and
are sorted among those that the model scored, which may be below zero (elastic/elasticsearch, QueryRescorer.java): the
window has to hold every hit that is asked for. `sltr` is StoredLtrQueryBuilder of the plugins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WINDOW = (
    1_000  # hits; an entry of a parameter is a clause, of which a query takes 1,024 unless told otherwise
)
_ID = "PRODUCT_ID"


def plugin_mapping(feature_set: Mapping[str, Any]) -> dict[str, Any]:
    """For `PUT INDEX/_mapping`: 64-bit fields, as the run read them, and the id by which candidates are found."""
    properties = {"product_id": {"type": "keyword"}}
    for one in feature_set["featureset"]["features"]:
        if isinstance(one["template"], dict):
            field = one["template"]["function_score"]["field_value_factor"]["field"]
            properties[field] = {"type": "double"}
    return {"properties": properties}


def plugin_search(feature_set: Mapping[str, Any]) -> dict[str, Any]:
    """For `POST INDEX/_search`, with made-up parameters in the form that each has to have."""
    name, features = feature_set["featureset"]["name"], feature_set["featureset"]["features"]
    params: dict[str, Any] = {}
    for one in features:
        for parameter in one["params"]:
            if one["template_language"] == "mustache":
                # value, above or below: what of a candidate's entry the template takes.
                part = one["template"].partition('"boost":{{')[2].partition("}}")[0]
                params.setdefault(parameter, [{"id": _ID}])[0][part] = 1.5
            else:
                params[parameter] = 2
    asked = {"sltr": {"model": name, "params": params}}
    weights = {"query_weight": 0, "rescore_query_weight": 1}
    return {
        "query": {"terms": {"product_id": [_ID]}},
        "size": 10,
        "rescore": {"window_size": WINDOW, "query": {"rescore_query": asked} | weights},
    }
