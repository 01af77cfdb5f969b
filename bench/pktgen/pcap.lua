-- SPDX-License-Identifier: Apache-2.0
-- pcap.lua - frames that make-pcap wrote, through posternd: -s 0:FILE, and -s 1:FILE for what comes back.
--
-- Port 0 sends its whole file once, slowly, before the measurement: that makes the mappings, or the leases.
-- FRAMES in the environment says how many frames that is (make-pcap tells); 0 leaves it out.
-- FILL_RATE is the rate of this round in percent of the link's speed.

package.path = package.path .. ";" .. debug.getinfo(1, "S").source:match("^@?(.*/)") .. "?.lua"
local postern = require "postern"

local frames = tonumber(os.getenv("FRAMES") or 1048576)
local fill_rate = tonumber(os.getenv("FILL_RATE") or 0.5)

postern.setup()
if frames > 0 then
	postern.send(postern.inside, frames, fill_rate)
end
postern.measure("pcap", postern.ways())
postern.finish()
