"""The HTTP API of a run: starlette's routes over `ltr.serving`.

app         The application: routes, request ids, headers, errors
bodies      What the API takes, as pydantic models
insight     Why: explanations and comparisons
limits      Bodies, work under way and waiting, the token, headers
metrics     Figures for Prometheus
openapi     The API's description, made of its paths and bodies
operations  Events, health, figures, the runs and their change
problems    Errors as problem JSON with expected, got and cure
protocol    The connection itself: heads that are too large, too slow or no HTTP
routes      What a search page asks for: lists, products, photos, suggestions, reranking
team        What a search team asks of the page: two orders side by side, grades given
server      What the routes share, pseudonyms at the door, and the log of what is shown
"""

from ltr.serving.http.app import make_app

__all__ = ["make_app"]
