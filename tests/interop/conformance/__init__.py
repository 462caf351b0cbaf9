"""Every stack against every other: one service, one client of it, and a table of what they have to agree on.

A stack is a program with two roles; `driver.py` has them all, ours, grpclib's own, grpc-go and grpcio.

    PROGRAM serve SOCKET CERTIFICATE KEY    serves on a unix socket, and with TLS on a port that it prints; ends with
                                            its stdin
    PROGRAM call                            makes the calls that each line of stdin says, all at the same time, and
                                            writes a line with their outcomes

Both lines are JSON, and OCTETS, metadata's keys and values too, are what zlib and base64 make of them:

    {"target": "unix:PATH" | "127.0.0.1:PORT", "certificate": PATH | "", "calls": [
        {"path": "/conformance.Probe/Unary", "requests": [OCTETS], "metadata": [[OCTETS, OCTETS]],
         "timeout": SECONDS or 0 for none, "cancel_after": so many replies, or 0 for not at all}]}

    [{"replies": [OCTETS], "initial": [[OCTETS, OCTETS]], "trailing": [[OCTETS, OCTETS]],
      "code": NUMBER, "message": TEXT, "details": [TEXT]}]

All messages of the service conformance.Probe are google.protobuf.BytesValue:

    Unary           the request
    ClientStream    all requests in one
    ServerStream    the lines of the request, each as one
    BidiStream      each request as it comes; a client sends the next one when it has the reply
    Wait            unary; no reply before the call is over
    Hold            server stream; the request, and then nothing before the call is over
    Ended           unary; the request, when the Hold with the same one is over
    Remaining       unary; how many milliseconds are left until the deadline, as text

Their metadata tell any of them how to answer: `initial`, `initial-bin`, `trailing` and `trailing-bin` are sent back as
what their name says, and `status` (with `status-message-bin`, `status-detail`) is the end of the call behind all that a
stream of replies has to say, and in place of a single reply.
"""
