"""Why: what a product's score is made of, why one stands above another, products side by side."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ltr.serving.http.bodies import CompareBody, ExplainBody
from ltr.serving.http.problems import RequestError
from ltr.serving.http.routes import check_query
from ltr.serving.http.server import ApiPath, Server, in_json, in_time, read, row_of, too_slow
from ltr.serving.lists.searching import Asked
from ltr.serving.live.live_run import LiveRun
from ltr.serving.why.query_explanation import one_product, two_products
from ltr.serving.why.reasons import explained_list


async def explain_path(request: Request, server: Server) -> Response:
    body = await read(request, server, ExplainBody)
    text = (body.text or "").strip() or None
    if text is None and body.photo is None:
        raise RequestError(
            422, where="text", expected="words or a photo", got="neither", cure="send the query"
        )
    if body.over == body.product_id:
        raise RequestError(422, where="over", expected="another product", got="the same", cure="name two")
    with server.runs.use() as live:
        await check_query(body, server, live)
        for product in filter(None, (body.product_id, body.over)):
            row_of(live, product)
        asked = Asked(request.scope["request_id"], server.candidates(live), text, body.photo, body.filters)
        seconds = 5 * server.settings.timeout
        future = server.workers.start(lambda: _explained(live, asked, body.product_id, body.over), seconds)
        if not await in_time(future, seconds):
            raise too_slow(seconds)
        ignored = live.catalogue.unmet(asked.filters)
        return in_json(request, {"run": live.about(), "ignored": ignored, **future.result()})


def _explained(live: LiveRun, asked: Asked, product: str, over: str | None) -> dict[str, Any]:
    explained = explained_list(live, asked)
    explained.check_candidate("product_id", product)
    explained.check_candidate("over", over)
    explanation = one_product(explained, product) if over is None else two_products(explained, product, over)
    return {"read_as": explained.read_as, **explanation}


async def compare_path(request: Request, server: Server) -> Response:
    body = await read(request, server, CompareBody)
    with server.runs.use() as live:
        rows = [row_of(live, product, "products") for product in body.products]
        future = server.workers.start(lambda: live.alike(body.products))
        if not await in_time(future, 30.0):  # the first one reads the catalogue's photos
            raise too_slow(30.0)
        products = [live.catalogue.details(row) for row in rows]
        answer = {"run": live.about(), "products": products, "alike": future.result().to_dicts()}
        return in_json(request, answer)


PATHS = (
    ApiPath("/explain", "POST", explain_path, "token", "Why a product stands where it does.", ExplainBody),
    ApiPath("/compare", "POST", compare_path, "token", "Products side by side.", CompareBody),
)
