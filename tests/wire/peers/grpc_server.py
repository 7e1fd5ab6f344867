"""A gRPC server: messages are bytes. Arguments: certificate and key. Prints its port."""

import sys
from concurrent import futures

import grpc


def unary(request, context):
    return request.upper()


def bidi(requests, context):
    count = 0
    for request in requests:
        count += 1
        yield request
    context.set_trailing_metadata((("x-count", str(count)),))


def failing(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")


server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers(
    (
        grpc.method_handlers_generic_handler(
            "test.Echo",
            {
                "Unary": grpc.unary_unary_rpc_method_handler(unary),
                "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
                "Fail": grpc.unary_unary_rpc_method_handler(failing),
            },
        ),
    )
)
certificate, key = (open(path, "rb").read() for path in sys.argv[1:3])
port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
server.start()
print(port, flush=True)
server.wait_for_termination()
