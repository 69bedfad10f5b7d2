"""Interceptors that note every call, as a user's hook would."""

import grpc


class Recorder(grpc.UnaryUnaryClientInterceptor):
    """Keeps (method, request, response) of every call; adds a header to each."""

    def __init__(self):
        self.calls = []

    def intercept_unary_unary(self, continuation, client_call_details, request):
        details = client_call_details._replace(metadata=[("x-trace", "7")])
        call = continuation(details, request)
        if call.code() == grpc.StatusCode.OK:
            self.calls.append((details.method.rpartition("/")[2], request, call.result()))
        return call


class AsyncRecorder(grpc.aio.UnaryUnaryClientInterceptor):
    """The same for asyncio."""

    def __init__(self):
        self.calls = []

    async def intercept_unary_unary(self, continuation, client_call_details, request):
        call = await continuation(client_call_details, request)
        method = client_call_details.method
        name = (method.decode() if isinstance(method, bytes) else method).rpartition("/")[2]
        self.calls.append((name, request, await call))
        return call
