#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libtorrent in a home: opens its listening port by PCP or NAT-PMP, whichever the gateway speaks.

    torrent.py ADDRESS PORT SECONDS

Prints one line for each event: "mapped PROTOCOL EXTERNAL-PORT TRANSPORT", "failed REASON", and what
it says of its mapping requests. Ends when both mappings were told, or after SECONDS.
"""
import sys
import time

import libtorrent


def main():
    address, port, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    session = libtorrent.session({
        "listen_interfaces": f"{address}:{port}",
        "enable_natpmp": True,
        "enable_upnp": False,
        "enable_lsd": False,
        "enable_dht": False,
        "alert_mask": libtorrent.alert.category_t.port_mapping_notification
        | libtorrent.alert.category_t.port_mapping_log_notification,
    })
    end, told = time.monotonic() + seconds, set()
    while time.monotonic() < end and len(told) < 2:
        for alert in session.pop_alerts():
            if isinstance(alert, libtorrent.portmap_alert):
                told.add(str(alert.map_protocol))
                print("mapped", alert.map_protocol, alert.external_port, alert.map_transport)
            elif isinstance(alert, libtorrent.portmap_error_alert):
                print("failed", alert.message())
            else:
                print("log", alert.message())
        time.sleep(0.05)
    sys.exit(0 if len(told) == 2 else 1)


if __name__ == "__main__":
    main()
