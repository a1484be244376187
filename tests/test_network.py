import socket

import pytest


def test_connections_out_are_refused_and_loopback_works():
    with socket.socket() as outward, pytest.raises(AssertionError, match="nothing may use"):
        outward.connect(("192.0.2.1", 80))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
