# SPDX-License-Identifier: Apache-2.0
"""The Internet's side of a server that is tried over the network: UDP sockets in another network
namespace of this machine, so that a rule can see what its NAT lets through. Needs root."""
import contextlib
import ctypes
import os
import select
import socket

from . import packets

CLONE_NEWNET = 0x40000000
PATIENCE_S = 0.5


class NotPossible(Exception):
    """A packet that plain sockets cannot send."""


class Passed:
    """A datagram that came out on the other side of the NAT."""
    protocol = packets.UDP

    def __init__(self, source, destination, payload):
        self.source, self.destination, self.payload = source, destination, payload

    def text(self):
        return "udp %s:%d -> %s:%d" % (*self.source, *self.destination)


@contextlib.contextmanager
def inside_of(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as own, open(f"/run/netns/{namespace}") as other:
        if libc.setns(other.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            yield
        finally:
            libc.setns(own.fileno(), CLONE_NEWNET)


class Outside:
    def __init__(self, namespace):
        self.namespace, self.far, self.near, self.awaited = namespace, {}, {}, []

    def bound(self, endpoint):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            one.bind(endpoint)
        except OSError as why:
            one.close()
            raise NotPossible("%s:%d for itself: %s" % (*endpoint, why.strerror)) from None
        return one

    def far_socket(self, endpoint):
        if endpoint not in self.far:
            with inside_of(self.namespace):
                self.far[endpoint] = self.bound(endpoint)
        return self.far[endpoint]

    def near_socket(self, endpoint):
        if endpoint not in self.near:
            self.near[endpoint] = self.bound(endpoint)
        return self.near[endpoint]

    def send(self, side, octets, client, ports):
        """Sends what the IPv4 packet `octets` says; take() tells whether it came out. Whatever
        comes in is awaited on these `ports` of the client."""
        packet = packets.Packet(octets)
        if packet.protocol != packets.UDP:
            raise NotPossible("a packet that plain sockets cannot send")
        if side == "outside":
            self.awaited = [self.near_socket((client, port)) for port in ports]
            sender = self.far_socket(packet.source)
        else:
            self.awaited = [self.far_socket(packet.destination)]
            sender = self.near_socket(packet.source)
        try:
            sender.sendto(os.urandom(8), packet.destination)
        except OSError as why:
            raise NotPossible(f"a way for {packet.text()}: {why.strerror}") from None

    def take(self):
        ready, _, _ = select.select(self.awaited, [], [], PATIENCE_S)
        if not ready:
            return None
        payload, source = ready[0].recvfrom(2048)
        return "outside", Passed(source, ready[0].getsockname(), payload)

    def close(self):
        for one in [*self.far.values(), *self.near.values()]:
            one.close()
        self.far, self.near, self.awaited = {}, {}, []
