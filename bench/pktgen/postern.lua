-- SPDX-License-Identifier: Apache-2.0
-- postern.lua - what the scripts beside it share: who is where, and a measurement. docs/pktgen.md tells how to run
-- them. Written for Pktgen-DPDK 23.03, Lua 5.3.
--
--   Pktgen port 0 -- inside [posternd] outside -- Pktgen port 1
--
-- The environment changes what is below: INSIDE_MAC and OUTSIDE_MAC (posternd's), RATE (percent of the link's
-- speed), DURATION (seconds; bash keeps SECONDS for itself), DIRECTION (out, in, both), JSON (a file that one
-- line for each run is added to), STAY (Pktgen remains, for its prompt).

local P = {
	inside = "0",
	outside = "1",
	inside_mac = os.getenv("INSIDE_MAC") or "02:00:00:00:00:01",
	outside_mac = os.getenv("OUTSIDE_MAC") or "02:00:00:00:00:02",
	rate = tonumber(os.getenv("RATE") or 100),
	seconds = tonumber(os.getenv("DURATION") or 10),
	direction = os.getenv("DIRECTION") or "both",
}

local SETTLE = 2500 -- ms: Pktgen looks at its counters once a second
local TRICKLE = 0.001 -- percent

local function port_of(name)
	return tonumber(name)
end

-- What DIRECTION asks for, as pairs of ports.
function P.ways()
	local out, back = { P.inside, P.outside }, { P.outside, P.inside }
	local of = { out = { out }, ["in"] = { back }, both = { out, back } }
	return assert(of[P.direction], "DIRECTION is out, in or both")
end

function P.is_sending(port)
	return pktgen.isSending(port)[port_of(port)] == "y"
end

function P.links_up()
	local all = P.inside .. "," .. P.outside
	for _ = 1, 100 do
		local links = pktgen.linkState(all)
		local up = 0
		for _, port in ipairs({ P.inside, P.outside }) do
			if string.find(links[port_of(port)], "UP") then
				up = up + 1
			end
		end
		if up == 2 then
			return true
		end
		pktgen.delay(100)
	end
	return false
end

function P.finish()
	if not os.getenv("STAY") then
		pktgen.quit()
	end
end

-- Addresses and MACs of what is sent in single mode. posternd needs to ask for nobody: Pktgen's MACs stand in its
-- configuration, under static-neighbours.
function P.setup()
	pktgen.screen("off")
	pktgen.set_proto("all", "udp")
	pktgen.set_type("all", "ipv4")
	pktgen.process("all", "off")
	pktgen.set_mac(P.inside, "dst", P.inside_mac)
	pktgen.set_mac(P.outside, "dst", P.outside_mac)
	pktgen.set_ipaddr(P.inside, "src", "10.0.0.2/30")
	pktgen.set_ipaddr(P.inside, "dst", "10.0.0.1")
	pktgen.set_ipaddr(P.outside, "src", "198.51.100.1/30")
	pktgen.set_ipaddr(P.outside, "dst", "198.51.100.2")
	pktgen.set("all", "dport", 9)
	if not P.links_up() then
		print("The link is down: posternd has to run before Pktgen starts, with the same socket and ids.")
		pktgen.quit()
		os.exit(1)
	end
end

-- Sends `n` frames of what the port is set to, and returns when they are gone.
function P.send(port, n, rate)
	pktgen.set(port, "rate", rate or P.rate)
	pktgen.set(port, "count", n)
	pktgen.start(port)
	repeat
		pktgen.delay(20)
	until not P.is_sending(port)
	pktgen.set(port, "count", 0)
end

local function counters()
	local now = pktgen.portStats(P.inside .. "," .. P.outside, "port")
	local of = {}
	for _, port in ipairs({ P.inside, P.outside }) do
		local n = now[port_of(port)]
		of[port] = { tx = n.opackets, rx = n.ipackets }
	end
	return of
end

-- Lua's own clock is the processor's time, of all threads.
function P.now()
	local date = assert(io.popen("date +%s.%N"))
	local text = date:read("l")
	date:close()
	return tonumber(text)
end

function P.tell(name, from, to, sent, received, seconds)
	local lost = math.max(0, sent - received) -- gratuitous ARP of posternd arrives, too
	local share = sent > 0 and 100 * lost / sent or 0
	print(string.format("%-12s %s -> %s  sent %d (%.3f Mpps)  received %d (%.3f Mpps)  lost %d (%.4f %%)",
		name, from, to, sent, sent / seconds / 1e6, received, received / seconds / 1e6, lost, share))
	local path = os.getenv("JSON")
	local out = path and io.open(path, "a")
	if not out then
		return
	end
	out:write(string.format('{"bench":"pktgen","operation":"%s","from":%s,"to":%s,"seconds":%.3f,"sent":%d,' ..
		'"received":%d,"value":%.0f,"unit":"packets per second"}\n', name, from, to, seconds, sent, received,
		received / seconds))
	out:close()
end

-- Counts what `work` makes pass: {from, to} ports in `ways`. `work` returns the seconds it sent for.
function P.count(name, ways, work)
	pktgen.delay(SETTLE)
	local before = counters()
	local seconds = work()
	pktgen.delay(SETTLE)
	local after = counters()
	for _, way in ipairs(ways) do
		local from, to = table.unpack(way)
		P.tell(name, from, to, after[from].tx - before[from].tx, after[to].rx - before[to].rx, seconds)
	end
end

-- Sends `n` frames from the inside at `rate` percent.
function P.measure_once(name, ways, n, rate)
	P.count(name, ways, function()
		local start = P.now()
		P.send(P.inside, n, rate)
		return P.now() - start
	end)
end

-- Sends for P.seconds from the first port of every way. A start fills all buffers of the port while the lcore
-- does nothing else, and it would make up for lost time afterwards: so ports start at a trickle.
function P.measure(name, ways)
	P.count(name, ways, function()
		for _, way in ipairs(ways) do
			pktgen.set(way[1], "rate", TRICKLE)
			pktgen.set(way[1], "count", 0)
			pktgen.start(way[1])
			pktgen.delay(1000)
		end
		local start = P.now()
		for _, way in ipairs(ways) do
			pktgen.set(way[1], "rate", P.rate)
		end
		pktgen.delay(P.seconds * 1000)
		pktgen.stop("all")
		return P.now() - start
	end)
end

return P
