-- SPDX-License-Identifier: Apache-2.0
-- pcp.lua - PCP MAP requests of many subscribers: -s 0:FILE, written by `make-pcap map`.
--
-- The first round of the file makes the mappings. Every request carries the nonce that made its mapping, so
-- all later rounds renew them. Answers come back to port 0. FRAMES in the environment says how many requests
-- the file has; CREATE_RATE is the first round's rate in percent of the link's speed, RATE that of renewals.

package.path = package.path .. ";" .. debug.getinfo(1, "S").source:match("^@?(.*/)") .. "?.lua"
local postern = require "postern"

local frames = tonumber(os.getenv("FRAMES") or 65536)
local create_rate = tonumber(os.getenv("CREATE_RATE") or postern.rate)
local ways = { { postern.inside, postern.inside } }

postern.setup()
postern.measure_once("pcp-create", ways, frames, create_rate)
postern.measure("pcp-renew", ways)
postern.finish()
