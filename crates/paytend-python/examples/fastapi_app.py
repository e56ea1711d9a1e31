"""A FastAPI route that verifies, stores and acknowledges notifications, in this order."""

from typing import Callable

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

import paytend


def make_app(receiver: paytend.PaytendReceiver, store: Callable[[paytend.Notification], bool]) -> FastAPI:
    """Creates the application.

    ``store`` must commit the dedup key and the effect in one transaction, and return whether the key was new. It must
    also store repeated notifications, so that the object's current state can be queried, and the content of
    notifications that are not ``typed``.
    """
    app = FastAPI()

    def handle(headers: paytend.Headers, body: bytes) -> paytend.ProviderResponse:
        try:
            notification = receiver.receive(headers, body)
        except paytend.PaytendError as error:
            return error.response or receiver.respond("try_again_later")
        try:
            return receiver.respond("accepted" if store(notification) else "duplicate")
        except OSError:
            return receiver.respond("try_again_later")

    @app.post("/paytend/baas")
    async def paytend_baas(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > 64 * 1024:
                return Response(status_code=413)
        # Runs outside the event loop, because verification takes about a millisecond and the store can take longer.
        response = await run_in_threadpool(handle, request.headers.raw, body)
        return Response(response.body, response.status, response.headers)

    return app
