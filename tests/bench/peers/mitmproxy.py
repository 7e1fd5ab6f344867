"""Sets the header in mitmdump, and has bodies pass as they come."""


def requestheaders(flow):
    flow.request.headers["authorization"] = "Bearer @TOKEN@"
    flow.request.stream = True


def responseheaders(flow):
    flow.response.stream = True
