"""What a fault of a request is called: what was expected and what came, the right way round."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from ltr.serving.http.problems import of_validation


class _Body(BaseModel):
    text: str


def test_a_body_that_is_no_json_says_where_it_breaks() -> None:
    with pytest.raises(ValidationError) as caught:
        _Body.model_validate_json(b"{bad")
    parts = of_validation(caught.value).parts
    assert (parts["where"], parts["expected"]) == ("body", "JSON")
    assert parts["got"].endswith("at line 1 column 2")
