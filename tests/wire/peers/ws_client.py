"""A WebSocket client: an URL, and what to say. Goes through the proxy of its environment."""

import os
import ssl
import sys

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

context = ssl.create_default_context(cafile=os.environ["WS_CA"])
try:
    with connect(sys.argv[1], ssl=context, subprotocols=["chat"], max_size=None) as connection:
        print(connection.subprotocol)
        for word in sys.argv[2:]:
            connection.send(os.urandom(3 << 20) if word == "large" else word)
            try:
                answer = connection.recv(timeout=20)
                print(answer if isinstance(answer, str) else len(answer))
            except ConnectionClosed as closed:
                print(closed.rcvd.code, closed.rcvd.reason)
except InvalidStatus as refused:
    print("refused", refused.response.status_code)
