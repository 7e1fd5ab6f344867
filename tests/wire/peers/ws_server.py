"""A WebSocket server that echoes. Arguments: certificate and key. Prints its port."""

import http
import ssl
import sys

from websockets.sync.server import serve


def echo(connection):
    for message in connection:
        if message == "close":
            connection.close(4000, "enough")
            return
        connection.send(message)


def admit(connection, request):
    if request.path == "/denied":
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no\n")
    return None


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:3])
with serve(
    echo, "127.0.0.1", 0, ssl=context, process_request=admit, subprotocols=["chat"], max_size=None
) as server:
    print(server.socket.getsockname()[1], flush=True)
    server.serve_forever()
