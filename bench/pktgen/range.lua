-- SPDX-License-Identifier: Apache-2.0
-- range.lua - Pktgen's range mode through posternd with conf/pktgen.yaml: subscribers that count upwards.
--
-- Two things about range mode decide the numbers below. All fields move by one step with every packet, so 383
-- subscribers and 64 ports meet in all 383 * 64 pairs only because 383 and 64 have no common factor. And the
-- packets are made once, one for each of the 24 576 buffers that Pktgen 23.03 has for a queue, and then sent
-- round and round: more flows than that need pcap.lua. Keys that count upwards flatter any table: compare with
-- `make-pcap out --subscribers 383` in random order.

package.path = package.path .. ";" .. debug.getinfo(1, "S").source:match("^@?(.*/)") .. "?.lua"
local postern = require "postern"

local SUBSCRIBERS = 383
local PORTS = 64
local FLOWS = SUBSCRIBERS * PORTS
local FIRST_PORT = 40960
local PLAN_FIRST = 8192 -- port-range of conf/pktgen.yaml: 383 subscribers lie on the pool's first address

local function range(field, port, first, last, step)
	field(port, "start", first)
	field(port, "min", first)
	field(port, "max", last)
	field(port, "inc", step)
end

local function common(port, mac)
	pktgen.range.dst_mac(port, "start", mac)
	pktgen.range.ip_proto(port, "udp")
	pktgen.range.ttl(port, "start", 64)
	range(pktgen.range.pkt_size, port, 64, 64, 0)
	pktgen.set_range(port, "on")
end

local function outwards(port)
	local last = SUBSCRIBERS - 1
	local to = string.format("100.64.%d.%d", last // 256, last % 256)

	range(pktgen.range.src_ip, port, "100.64.0.0", to, "0.0.0.1")
	range(pktgen.range.dst_ip, port, "192.0.2.80", "192.0.2.80", "0.0.0.0")
	range(pktgen.range.src_port, port, FIRST_PORT, FIRST_PORT + PORTS - 1, 1)
	range(pktgen.range.dst_port, port, 9, 9, 0)
	common(port, postern.inside_mac)
end

local function inwards(port)
	range(pktgen.range.src_ip, port, "192.0.2.80", "192.0.2.80", "0.0.0.0")
	range(pktgen.range.dst_ip, port, "203.0.113.0", "203.0.113.0", "0.0.0.0")
	range(pktgen.range.src_port, port, 9, 9, 0)
	range(pktgen.range.dst_port, port, PLAN_FIRST, PLAN_FIRST + FLOWS - 1, 1)
	common(port, postern.outside_mac)
end

postern.setup()
outwards(postern.inside)
inwards(postern.outside)
postern.send(postern.inside, 2 * 24576, 0.2) -- every buffer once at least: makes the mappings
postern.measure("range", postern.ways())
postern.finish()
