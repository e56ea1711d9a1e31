"""A Django view that verifies, stores and acknowledges notifications, in this order."""

from typing import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

import paytend


def make_view(
    receiver: paytend.PayByReceiver, store: Callable[[paytend.Notification], bool]
) -> Callable[[HttpRequest], HttpResponse]:
    """Creates the view.

    ``store`` must commit the dedup key and the effect in one transaction, and return whether the key was new. It must
    also store repeated notifications, so that the object's current state can be queried, and the content of
    notifications that are not ``typed``. Set ``DATA_UPLOAD_MAX_MEMORY_SIZE`` to 65536.
    """

    @csrf_exempt
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        try:
            notification = receiver.receive(dict(request.headers.items()), request.body)
            response = receiver.respond("accepted" if store(notification) else "duplicate")
        except paytend.PaytendError as error:
            response = error.response or receiver.respond("try_again_later")
        return HttpResponse(response.body, status=response.status, headers=response.headers)

    return view
