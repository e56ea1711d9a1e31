"""A callback URL on FastAPI: verify, store, acknowledge, in this order."""

from typing import Callable

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

import paytend


def make_app(receiver: paytend.PaytendReceiver, store: Callable[[paytend.Notification], bool]) -> FastAPI:
    """``store`` commits the dedup key and the effect in one transaction, and returns whether the key was new.

    It stores a known key as a repeat whose state is to be queried, and what is not ``typed`` with its content.
    """
    app = FastAPI()

    def take(headers: paytend.Headers, body: bytes) -> paytend.Answer:
        try:
            notification = receiver.receive(headers, body)
        except paytend.PaytendError as refused:
            return refused.answer or receiver.answer("try_again_later")
        try:
            return receiver.answer("accepted" if store(notification) else "duplicate")
        except OSError:
            return receiver.answer("try_again_later")

    @app.post("/paytend/baas")
    async def paytend_baas(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > 64 * 1024:
                return Response(status_code=413)
        # Off the event loop: the keys take a millisecond, the store perhaps longer.
        answer = await run_in_threadpool(take, request.headers.raw, body)
        return Response(answer.body, answer.status, answer.headers)

    return app
