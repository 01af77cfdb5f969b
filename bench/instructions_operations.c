// SPDX-License-Identifier: Apache-2.0
// What is counted, and what stands before it. Figures of bench/instructions.json bear these names.
#include "instructions.h"

#define STAND(m, v)                                                                                \
	{                                                                                          \
		RUN, NONE_YET, m, v, 0                                                             \
	}
#define AMONG(m, v)                                                                                \
	{                                                                                          \
		RUN, ANY, m, v, 0                                                                  \
	}
#define NEW(m, v)                                                                                  \
	{                                                                                          \
		RUN, EACH_NEW, m, v, 0                                                             \
	}
#define UDP_STANDS STAND(UDP_OUT, VERDICT_PASS)
#define TCP_STANDS STAND(TCP_SYN_OUT, VERDICT_PASS), STAND(TCP_SYN_ACK_IN, VERDICT_PASS)
#define PCP_STANDS STAND(PCP_REQUEST, VERDICT_REPLY)

const struct operation operations[] = {
	{"expire-explicit", "a mapping made by PCP runs out, and its port's rest ends", true,
		{PCP_STANDS, NEW(PCP_REQUEST, VERDICT_REPLY)}, {{OUTLIVE, 0, 0, 0, 0}}},
	{"expire-implicit", "an idle mapping is found and ends, and its port's rest ends", false,
		{UDP_STANDS, NEW(UDP_OUT, VERDICT_PASS)}, {{OUTLIVE, 0, 0, 0, 0}}},
	{"idle-step", "a step of the background in which nothing is due", false, {UDP_STANDS},
		{{STEP, EACH_NEW, 0, 0, 0}}},
	{"implicit-create", "the first UDP packet of a mapping", false, {UDP_STANDS},
		{NEW(UDP_OUT, VERDICT_PASS)}},
	{"in2out", "UDP from inside, mapped, DF not set", false, {UDP_STANDS},
		{AMONG(UDP_OUT, VERDICT_PASS)}},
	{"in2out-alone", "the same, one packet a burst", false, {UDP_STANDS},
		{{RUN, ANY, UDP_OUT, VERDICT_PASS, 1}}},
	{"in2out-df", "UDP from inside, mapped, DF set", false, {UDP_STANDS},
		{AMONG(UDP_OUT_DF, VERDICT_PASS)}},
	{"out2in", "UDP from outside, mapped", false, {UDP_STANDS}, {AMONG(UDP_IN, VERDICT_PASS)}},
	{"parse", "the parse of a UDP packet, which no other figure contains", false, {UDP_STANDS},
		{{PARSE, ANY, UDP_OUT, VERDICT_PASS, 0}}},
	{"pcp-create", "PCP MAP: a new mapping", true, {PCP_STANDS},
		{NEW(PCP_REQUEST, VERDICT_REPLY)}},
	{"pcp-delete", "PCP MAP: a mapping deleted", true,
		{PCP_STANDS, NEW(PCP_REQUEST, VERDICT_REPLY)}, {NEW(PCP_DELETE, VERDICT_REPLY)}},
	{"pcp-nonce", "PCP MAP refused: another nonce (NOT_AUTHORIZED)", true, {PCP_STANDS},
		{AMONG(PCP_OTHER_NONCE, VERDICT_REPLY)}},
	{"pcp-option", "PCP MAP refused: an unknown option (UNSUPP_OPTION)", true, {PCP_STANDS},
		{AMONG(PCP_UNKNOWN_OPTION, VERDICT_REPLY)}},
	{"pcp-renew", "PCP MAP: a mapping renewed", true, {PCP_STANDS},
		{AMONG(PCP_REQUEST, VERDICT_REPLY)}},
	{"tcp-connection", "a TCP connection: SYN, SYN-ACK, ACK, two FINs, ACK, and its end", false,
		{UDP_STANDS},
		{NEW(TCP_SYN_OUT, VERDICT_PASS), NEW(TCP_SYN_ACK_IN, VERDICT_PASS),
			NEW(TCP_ACK_OUT, VERDICT_PASS), NEW(TCP_FIN_OUT, VERDICT_PASS),
			NEW(TCP_FIN_IN, VERDICT_PASS), NEW(TCP_ACK_OUT, VERDICT_PASS),
			{OUTLIVE, 0, 0, 0, 0}}},
	{"tcp-in", "data of a TCP connection, from outside", false, {TCP_STANDS},
		{AMONG(TCP_DATA_IN, VERDICT_PASS)}},
	{"tcp-out", "data of a TCP connection, from inside", false, {TCP_STANDS},
		{AMONG(TCP_DATA_OUT, VERDICT_PASS)}},
	{"unknown", "UDP from outside to a port that nobody has: dropped", false, {UDP_STANDS},
		{AMONG(UDP_UNKNOWN, VERDICT_DROP)}},
};
const unsigned n_operations = ARRAY_SIZE(operations);
