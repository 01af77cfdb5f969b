// SPDX-License-Identifier: Apache-2.0
// nat-pmp, a NAT-PMP client of another project: its public address, then TCP PORT mapped or unmapped.
'use strict'

const natPmp = require('nat-pmp')

const [action, port] = [process.argv[2], Number(process.argv[3])]
const client = natPmp.connect('100.64.0.1')

client.on('error', (error) => { console.error(String(error)); process.exit(1) })

function done (error, info) {
	if (error) {
		console.error(String(error))
		process.exit(1)
	}
	console.log(JSON.stringify(info))
	client.close()
}

if (action === 'address') {
	client.externalIp(done)
} else if (action === 'map') {
	client.portMapping({ private: port, public: port, type: 'tcp', ttl: 3600 }, done)
} else {
	client.portUnmapping({ private: port, public: port, type: 'tcp' }, done)
}
