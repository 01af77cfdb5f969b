// SPDX-License-Identifier: Apache-2.0
// nat-puncher, a PCP client of another project: opens UDP PORT by PCP alone and prints what it got;
// `again` asks a second time, as its own refresh does: with a fresh nonce.
'use strict'

const pcp = require('nat-puncher/src/pcp')

const [port, times] = [Number(process.argv[2]), Number(process.argv[3] || 1)]

async function main () {
	const gateways = [process.argv[4] || '100.64.0.1'] // those that answered before are asked first
	for (let i = 0; i < times; i++) {
		const m = await pcp.addMapping(port, port, 600, {}, gateways)
		console.log(JSON.stringify({
			external: `${m.externalIp}:${m.externalPort}`, lifetime: m.lifetime, internal: m.internalIp
		}))
	}
	process.exit(0)
}

main()
