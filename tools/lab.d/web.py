#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""web.py ADDRESS PORT DIRECTORY - Python's web server, without asking the DNS for its own name.

Prints a line for each request, beginning with the client's address.
"""
import functools
import http.server
import socket
import socketserver
import sys


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


address, port, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
Server.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
Server((address, port), handler).serve_forever()
