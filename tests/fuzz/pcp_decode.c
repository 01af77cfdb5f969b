// SPDX-License-Identifier: Apache-2.0
// The PCP decoder under libFuzzer: any octets, read as a request and as an answer. Beside memory
// errors it looks for broken promises: offsets inside the message, answers of a legal length, and a
// decoded request that encodes to the octets it came from.
#include <postern/pcp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

static void check_options(const uint8_t *msg, size_t len, const struct pcp_message *m)
{
	struct pcp_option options[PCP_MAX_OPTIONS];
	size_t n;
	unsigned sum = 0;

	(void)pcp_decode_options(msg, len, m, options, ARRAY_SIZE(options), &n);
	check(n <= ARRAY_SIZE(options));
	for (size_t i = 0; i < n; i++) {
		const struct pcp_option *o = &options[i];

		check((o->data == NULL) == (o->length == 0));
		for (size_t k = 0; k < o->length; k++)
			sum += o->data[k];
	}
	check(sum <= 255 * len);
}

// What a request says in its meaningful octets is what the encoder writes for it.
static void check_round_trip(const struct pcp_message *m)
{
	uint8_t again[PCP_MAX];
	struct pcp_message back;
	enum pcp_result result;
	size_t len = pcp_encode_request(again, sizeof again, m);

	check(len == m->options_at);
	check(pcp_decode_request(again, len, &back, &result) == PCP_DOOR_OPEN);
	check(back.opcode == m->opcode && back.lifetime_s == m->lifetime_s);
	check(pcp_nonce_eq(back.nonce, m->nonce) && ip6_eq(back.client, m->client));
	check(back.internal_port == m->internal_port && back.external_port == m->external_port);
	check(ip6_eq(back.external_ip, m->external_ip) && ip6_eq(back.remote_ip, m->remote_ip));
}

static void check_error_reply(const uint8_t *msg, size_t len, enum pcp_result result)
{
	static uint8_t reply[65536];
	struct pcp_message m;

	if (len > sizeof reply)
		return;
	memcpy(reply, msg, len);
	len = pcp_error_reply(reply, len, sizeof reply, result, false, 1800, 100);
	check(pcp_decode_response(reply, len, &m));
	check(m.result == result && m.lifetime_s == 1800 && m.epoch_s == 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pcp_message m;
	struct pcp_version_refusal refusal;
	enum pcp_result result;
	enum pcp_door door = pcp_decode_request(data, size, &m, &result);

	if (door == PCP_DOOR_OPEN) {
		check(m.options_at <= size && size <= PCP_MAX);
		check_options(data, size, &m);
		check_round_trip(&m);
	} else if (door == PCP_DOOR_REFUSE) {
		check_error_reply(data, size, result);
	}
	if (pcp_decode_response(data, size, &m)) {
		check(m.options_at <= size && size <= PCP_MAX);
		check_options(data, size, &m);
	}
	(void)pcp_decode_version_refusal(data, size, &refusal);
	return 0;
}
