"""An HTTP/2 client by hand: one connection, asked for several hosts. Arguments: the proxy's port and its authority."""

import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events

raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
raw.sendall(b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += raw.recv(1)
assert b" 200 " in head, head
context = ssl.create_default_context(cafile=sys.argv[2])
context.set_alpn_protocols(["h2"])
tls = context.wrap_socket(raw, server_hostname="api.example")
assert tls.selected_alpn_protocol() == "h2"

# What is wrong here is meant to be: nothing of it is mended or refused on this side.
config = h2.config.H2Configuration(
    client_side=True,
    header_encoding="utf-8",
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)
connection = h2.connection.H2Connection(config)
connection.initiate_connection()
tls.sendall(connection.data_to_send())


def ask(words, headers):
    stream = connection.get_next_available_stream_id()
    connection.send_headers(stream, headers, end_stream=True)
    tls.sendall(connection.data_to_send())
    while True:
        data = tls.recv(65536)
        if not data:
            print(words, "closed")
            return
        status, over = None, False
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                status = dict(event.headers)[":status"]
                print(words, status)
            if isinstance(event, h2.events.StreamReset) and event.stream_id == stream:
                print(words, "reset", event.error_code)
                over = True
            if isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                over = True
        tls.sendall(connection.data_to_send())
        if over:
            return


def get(authority, scheme="https", extra=()):
    return [(":method", "GET"), (":scheme", scheme), (":authority", authority), (":path", "/"), *extra]


ask("api.example", get("api.example"))
ask("other.example", get("other.example"))
ask("other.example in Host", get("api.example", extra=[("host", "other.example")]))
ask("http", get("api.example", scheme="http"))
ask("CONNECT", [(":method", "CONNECT"), (":authority", "other.example:443")])
ask("api.example", get("api.example"))
