/* SPDX-License-Identifier: Apache-2.0 */
/* jansson values as YAML text, in the order they have. */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "lib/json.h"
#include "tools/config/scalar.h"
#include "tools/config/yaml.h"

static int on_text(void *data, unsigned char *text, size_t len) {
    return buf_append(data, text, len) == 0;
}

static bool emit(yaml_emitter_t *y, yaml_event_t *event, int made) {
    return made && yaml_emitter_emit(y, event);
}

/* Strings that a reader could take for something else are quoted; libyaml sees to all other needs. */
static bool emit_string(yaml_emitter_t *y, const char *s) {
    yaml_event_t event;
    json_int_t number;

    yaml_scalar_style_t style = strchr(s, '\n')                               ? YAML_LITERAL_SCALAR_STYLE
                                : scalar_resolve(s, &number) != SCALAR_STRING ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
                                : scalar_is_old_bool(s)                       ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
                                                                              : YAML_ANY_SCALAR_STYLE;
    return emit(
        y, &event,
        yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)(uintptr_t)s, (int)strlen(s), 1, 1, style));
}

/* Numbers, true, false and null, as they are. */
static bool emit_plain(yaml_emitter_t *y, const json_t *value) {
    AUTO_FREE char *text = json_dumps(value, JSON_ENCODE_ANY);
    yaml_event_t event;

    return text && emit(y, &event,
                        yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)text, (int)strlen(text), 1, 0,
                                                     YAML_PLAIN_SCALAR_STYLE));
}

static bool emit_value(yaml_emitter_t *y, json_t *value) {
    yaml_event_t event;
    const char *key;
    json_t *item;
    size_t i;
    bool ok;

    if (json_is_string(value))
        return emit_string(y, json_string_value(value));
    if (json_is_array(value)) {
        ok = emit(y, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_SEQUENCE_STYLE));
        json_array_foreach(value, i, item) {
            ok = ok && emit_value(y, item);
        }
        return ok && emit(y, &event, yaml_sequence_end_event_initialize(&event));
    }
    if (!json_is_object(value))
        return emit_plain(y, value);
    ok = emit(y, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_MAPPING_STYLE));
    json_object_foreach(value, key, item) {
        ok = ok && emit_string(y, key) && emit_value(y, item);
    }
    return ok && emit(y, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_document(yaml_emitter_t *y, json_t *value) {
    yaml_event_t event;

    return emit(y, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
           emit(y, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) && emit_value(y, value) &&
           emit(y, &event, yaml_document_end_event_initialize(&event, 1)) &&
           emit(y, &event, yaml_stream_end_event_initialize(&event));
}

int yaml_write(json_t *value, struct buf *out, struct err *e) {
    yaml_emitter_t y;

    if (!yaml_emitter_initialize(&y))
        return err_errno(e, -ENOMEM, "could not write YAML");
    yaml_emitter_set_unicode(&y, 1);
    yaml_emitter_set_width(&y, -1);
    yaml_emitter_set_output(&y, on_text, out);
    bool ok = emit_document(&y, value);
    int r = ok ? 0 : err_set(e, -ENOMEM, "could not write YAML: %s", y.problem ? y.problem : "out of memory");
    yaml_emitter_delete(&y);
    return r;
}
