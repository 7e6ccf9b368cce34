"""The HTTP API of a run: starlette's routes over `ltr.serving`.

app         The application: routes, request ids, headers, errors
bodies      What the API takes, as pydantic models
limits      Bodies, work under way and waiting, the token, headers
problems    Errors as problem JSON with expected, got and cure
routes      What each path does
"""

from ltr.serving.http.app import make_app

__all__ = ["make_app"]
