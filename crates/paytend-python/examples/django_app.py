"""A callback URL on Django: verify, store, acknowledge, in this order."""

from typing import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

import paytend


def make_view(
    receiver: paytend.PayByReceiver, store: Callable[[paytend.Notification], bool]
) -> Callable[[HttpRequest], HttpResponse]:
    """``store`` commits the dedup key and the effect in one transaction, and returns whether the key was new.

    It stores a known key as a repeat whose state is to be queried, and what is not ``typed`` with its content.
    Set ``DATA_UPLOAD_MAX_MEMORY_SIZE`` to 65536.
    """

    @csrf_exempt
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        try:
            notification = receiver.receive(dict(request.headers.items()), request.body)
            answer = receiver.answer("accepted" if store(notification) else "duplicate")
        except paytend.PaytendError as refused:
            answer = refused.answer or receiver.answer("try_again_later")
        return HttpResponse(answer.body, status=answer.status, headers=answer.headers)

    return view
