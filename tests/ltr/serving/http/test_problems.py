"""What a fault of a request is called: what was expected and what came, the right way round."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from ltr.serving.http.bodies import EventsBody, RerankBody, SearchBody
from ltr.serving.http.problems import of_validation


class _Body(BaseModel):
    text: str


def test_a_body_that_is_no_json_says_where_it_breaks() -> None:
    with pytest.raises(ValidationError) as caught:
        _Body.model_validate_json(b"{bad")
    parts = of_validation(caught.value, _Body).parts
    assert (parts["where"], parts["expected"]) == ("body", "JSON")
    assert parts["got"].endswith("at line 1 column 2")


@pytest.mark.parametrize(
    ("model", "body", "where", "cure"),
    [
        (SearchBody, '{"txt": "boots"}', "txt", "did you mean 'text'?"),
        (SearchBody, '{"Text": "boots"}', "Text", "did you mean 'text'?"),
        (SearchBody, '{"query": "boots"}', "query", "did you mean 'text'?"),
        (SearchBody, '{"text": "boots", "limit": 5}', "limit", "did you mean 'size'?"),
        (SearchBody, '{"filters": {"price": {"mx": 5}}}', "filters.price.mx", "did you mean 'max'?"),
        (SearchBody, '{"text": "boots", "zzz": 5}', "zzz", "leave zzz out"),
        (
            RerankBody,
            '{"text": "a", "candidates": [{"product_id": "1", "feature": {}}]}',
            "candidates.0.feature",
            "did you mean 'features'?",
        ),
        (EventsBody, '{"event": []}', "event", "did you mean 'events'?"),
    ],
)
def test_a_field_that_nobody_reads_is_told_with_the_nearest_one(
    model: type[BaseModel], body: str, where: str, cure: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(body)
    parts = of_validation(caught.value, model).parts
    assert (parts["where"], parts["cure"]) == (where, cure)
    assert "a known field (" in parts["expected"]
