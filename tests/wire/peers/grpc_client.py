"""A gRPC client that speaks to the target of its argument through the proxy of its environment."""

import queue
import sys

import grpc

channel = grpc.secure_channel(sys.argv[1], grpc.ssl_channel_credentials())
print("unary:", channel.unary_unary("/test.Echo/Unary")(b"hello", timeout=20).decode())

# Each message is sent when the answer to the one before has come: held back, this would not end.
waiting = queue.Queue()
call = channel.stream_stream("/test.Echo/Bidi")(iter(waiting.get, None), timeout=20)
answers = []
for number in range(5):
    waiting.put(b"%d" % number)
    answers.append(next(call).decode())
waiting.put(None)
assert list(call) == []
print("bidi:", *answers)
print("trailer:", dict(call.trailing_metadata())["x-count"])

try:
    channel.unary_unary("/test.Echo/Fail")(b"", timeout=20)
except grpc.RpcError as error:
    print("failure:", error.code().name, error.details())
