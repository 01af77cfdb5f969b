// SPDX-License-Identifier: Apache-2.0
// pcpcd_yaml.h - reading a YAML document member by member, with a complaint at each mistake.
#ifndef CLI_PCPCD_YAML_H
#define CLI_PCPCD_YAML_H

#include "pcpcd.h"

#include <yaml.h>

#define PLACE_PATH 80

struct yaml_reader {
	yaml_document_t *document;
	struct pcpcd_complaints *complaints;
};

struct place { // a node, and what it is called in complaints
	const yaml_node_t *at;
	char path[PLACE_PATH]; // ports[2].lifetime
};

// What stands at the place is named in the complaint; `wanted` is what would be right.
void yaml_complain(struct yaml_reader *r, const struct place *at, const char *wanted, ...)
	__attribute__((format(printf, 3, 4)));
// The same with other words for what was found.
void yaml_complain_found(struct yaml_reader *r, const struct place *at, const char *found,
	const char *wanted, ...) __attribute__((format(printf, 4, 5)));

struct yaml_field;
typedef void yaml_field_reader(struct yaml_reader *r, const struct place *at, void *into);

struct yaml_field {
	const char *name;
	yaml_field_reader *read;
};

// Gives each member of a mapping to its field's reader; complains of unknown names and of names
// that come twice. False: it is no mapping.
bool yaml_read_map(struct yaml_reader *r, const struct place *map, const struct yaml_field *fields,
	size_t n, void *into);
// The text of a scalar, or NULL after a complaint.
const char *yaml_text(struct yaml_reader *r, const struct place *at, const char *wanted);
void yaml_read_bool(struct yaml_reader *r, const struct place *at, bool *out);
void yaml_read_port(struct yaml_reader *r, const struct place *at, uint16_t *out);
void yaml_read_path(struct yaml_reader *r, const struct place *at, char *out, size_t size);
// A text of 1 to size - 1 octets.
void yaml_read_text(struct yaml_reader *r, const struct place *at, char *out, size_t size);
// Of a list of at most `most`: how many items there are; 0 after a complaint too.
size_t yaml_list_length(
	struct yaml_reader *r, const struct place *at, size_t most, const char *wanted);
struct place yaml_item(struct yaml_reader *r, const struct place *list, size_t i);
uint32_t yaml_line(const struct place *at);

// Parses one document and gives its root to `read`; complains about what is no YAML, about a second
// document and about an empty one.
void yaml_read_document(const char *text, size_t length, struct pcpcd_complaints *complaints,
	yaml_field_reader *read, void *into);

#endif
