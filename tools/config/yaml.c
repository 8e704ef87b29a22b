/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

#include "lib/json.h"
#include "tools/config/scalar.h"
#include "tools/config/yaml.h"

/* What was refused is null in the result, so that the rest can be looked at too; the result is not used then. */
struct reader {
    yaml_document_t doc;
    const char *file;
    bool places;
    unsigned values;
    size_t bytes; /* of keys and values */
    unsigned depth;
    bool gave_up; /* at a bound, or without memory: nothing more is looked at */
    struct problems *problems;
};

PRINTF_LIKE(3, 4)
static json_t *refuse(struct reader *r, const yaml_mark_t *at, const char *fmt, ...) {
    char why[512];
    struct err e = {0};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    (void)err_set(&e, -EINVAL, "%s:%zu:%zu: %s", r->file, at->line + 1, at->column + 1, why);
    problems_add(r->problems, &e);
    return json_null();
}

static void too_much(struct reader *r, const yaml_mark_t *at) {
    (void)refuse(r, at, "too much: more than %d values (with aliases) or %d levels", YAML_MAX_VALUES, YAML_MAX_DEPTH);
}

/* NULL: nothing more is to be read. */
static json_t *give_up(struct reader *r, const yaml_node_t *n) {
    if (!r->gave_up)
        too_much(r, &n->start_mark);
    r->gave_up = true;
    return NULL;
}

/* One key or value more. False: nothing more is to be read. */
static bool take_bytes(struct reader *r, const yaml_node_t *n) {
    r->bytes += n->data.scalar.length;
    if (r->bytes <= YAML_MAX_EXPANDED)
        return true;
    if (!r->gave_up)
        (void)refuse(r, &n->start_mark, "too much: with what aliases repeat, these are more than %zu MiB",
                     YAML_MAX_EXPANDED >> 20);
    r->gave_up = true;
    return false;
}

static const char *found(const yaml_node_t *n) {
    static const char *const scalars[] = {
        [SCALAR_STRING] = "a string",
        [SCALAR_NULL] = "nothing",
        [SCALAR_BOOL] = "true or false",
        [SCALAR_INT] = "a number",
        [SCALAR_FLOAT] = "a number with a fraction",
    };
    json_int_t number;

    if (n->type == YAML_MAPPING_NODE)
        return "a map";
    if (n->type == YAML_SCALAR_NODE && n->data.scalar.length &&
        strspn((const char *)n->data.scalar.value, "+-0123456789") == n->data.scalar.length &&
        scalar_resolve(n, &number) == SCALAR_FLOAT)
        return "a number of more than 64 bits";
    return n->type == YAML_SEQUENCE_NODE ? "a list" : scalars[scalar_resolve(n, &number)];
}

static json_t *wrong_type(struct reader *r, const yaml_node_t *n, const char *key, enum value_kind want) {
    bool quote = want == VALUE_STRING && n->type == YAML_SCALAR_NODE && n->data.scalar.length;
    bool drop = n->type == YAML_SCALAR_NODE && !n->data.scalar.length;

    return refuse(r, &n->start_mark, "\"%.100s\" must be %s, not %s%s", key, schema_kind_name(want), found(n),
                  quote  ? "; put it in quotes"
                  : drop ? "; give a value or leave the key out"
                         : "");
}

static json_t *read_string(struct reader *r, const yaml_node_t *n, const char *key, const struct schema *schema) {
    const char *s = (const char *)n->data.scalar.value;

    if (!take_bytes(r, n))
        return NULL;
    if (strlen(s) != n->data.scalar.length)
        return refuse(r, &n->start_mark, "\"%.100s\" contains a NUL character", key);
    if (schema->is_valid && !schema->is_valid(s))
        return refuse(r, &n->start_mark, "\"%s\" must be %s, not \"%.100s\"", key, schema->expected, s);
    return json_string(s);
}

static json_t *read_number(struct reader *r, const yaml_node_t *n, const char *key, const struct schema *schema,
                           json_int_t number) {
    if ((schema->min || schema->max) && (number < schema->min || number > schema->max))
        return refuse(r, &n->start_mark, "\"%s\" must be from %lld to %lld, not %lld", key, (long long)schema->min,
                      (long long)schema->max, (long long)number);
    return json_integer(number);
}

static json_t *read_scalar(struct reader *r, const yaml_node_t *n, const char *key, const struct schema *schema) {
    enum value_kind want = schema->kind;
    json_int_t number = 0;

    if (n->type != YAML_SCALAR_NODE)
        return wrong_type(r, n, key, want);
    enum scalar is = scalar_resolve(n, &number);
    if (is == SCALAR_NULL && schema->or_null && n->data.scalar.length)
        return json_null();
    if (is == SCALAR_STRING && (want == VALUE_STRING || want == VALUE_ID))
        return read_string(r, n, key, schema);
    if (is == SCALAR_INT && (want == VALUE_INT || want == VALUE_ID))
        return read_number(r, n, key, schema, number);
    if (is == SCALAR_BOOL && want == VALUE_BOOL)
        return json_boolean((*n->data.scalar.value | 0x20) == 't');
    return wrong_type(r, n, key, want);
}

static json_t *read_node(struct reader *r, int index, const char *key, const struct schema *schema);

static json_t *read_list(struct reader *r, const yaml_node_t *n, const char *key, const struct schema *schema) {
    AUTO_JSON json_t *list = json_array();

    if (n->type != YAML_SEQUENCE_NODE)
        return wrong_type(r, n, key, VALUE_LIST);
    for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
        json_t *value = read_node(r, *i, key, schema->item);
        if (!value || json_array_append_new(list, value) < 0)
            return NULL;
    }
    return steal_ptr(&list);
}

static const struct schema_field *find_field(const struct schema *schema, const char *key) {
    for (const struct schema_field *f = schema->fields; f->key; f++)
        if (!strcmp(f->key, key))
            return f;
    return NULL;
}

static json_t *place_of(const struct reader *r, const yaml_node_t *n) {
    return json_sprintf("%s:%zu:%zu", r->file, n->start_mark.line + 1, n->start_mark.column + 1);
}

/* "@KEY": where the value stands; of a list, where each of its values does. */
static int set_place(struct reader *r, const yaml_node_t *n, const char *key, json_t *object) {
    char name[64];
    json_t *place = NULL;
    int ret = 0;

    if (!r->places)
        return 0;
    (void)snprintf(name, sizeof(name), "@%s", key);
    if (n->type != YAML_SEQUENCE_NODE)
        return json_object_set_new(object, name, place_of(r, n));
    place = json_array();
    for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top && !ret; i++)
        ret = json_array_append_new(place, place_of(r, yaml_document_get_node(&r->doc, *i)));
    return json_object_set_new(object, name, place) < 0 ? -1 : ret;
}

/* False: nothing more is to be read. */
static bool read_pair(struct reader *r, const yaml_node_pair_t *p, const struct schema *schema, json_t *object) {
    static const struct schema string = {.kind = VALUE_STRING};
    static const struct schema_field any = {.value = &string};
    const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key);
    const struct schema_field *field = &any;

    if (k->type != YAML_SCALAR_NODE || strlen((const char *)k->data.scalar.value) != k->data.scalar.length)
        return refuse(r, &k->start_mark, "a key must be a word");
    const char *key = (const char *)k->data.scalar.value;
    if (!take_bytes(r, k))
        return false;
    if (json_object_get(object, key))
        return refuse(r, &k->start_mark, "\"%.100s\" is there twice; remove one", key);
    if (schema->kind == VALUE_OBJECT)
        field = find_field(schema, key);
    if (!field) {
        const char *nearest = schema_nearest_key(schema, key);
        return nearest ? refuse(r, &k->start_mark, "unknown key \"%.100s\"; did you mean \"%s\"?", key, nearest)
                       : refuse(r, &k->start_mark, "unknown key \"%.100s\"; check its name and its indentation", key);
    }
    if (field->value->place && set_place(r, yaml_document_get_node(&r->doc, p->value), key, object) < 0)
        return false;
    json_t *value = read_node(r, p->value, key, field->value);
    return value && json_object_set_new(object, key, value) == 0;
}

static const char *key_of(struct reader *r, const yaml_node_pair_t *p) {
    const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key);

    return k->type == YAML_SCALAR_NODE ? (const char *)k->data.scalar.value : "";
}

static bool is_merge(struct reader *r, const yaml_node_pair_t *p) {
    return !strcmp(key_of(r, p), "<<");
}

/* `<<: *base` (https://yaml.org/type/merge.html): the base's keys, where the map has none of its own. */
static bool merge(struct reader *r, int index, const struct schema *schema, json_t *object) {
    const yaml_node_t *n = yaml_document_get_node(&r->doc, index);
    bool go_on = true;

    if (++r->values > YAML_MAX_VALUES || ++r->depth > YAML_MAX_DEPTH)
        return give_up(r, n);
    if (n->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = n->data.sequence.items.start; go_on && i < n->data.sequence.items.top; i++)
            go_on = merge(r, *i, schema, object);
    } else if (n->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *p = n->data.mapping.pairs.start; go_on && p < n->data.mapping.pairs.top; p++) {
            if (is_merge(r, p))
                go_on = merge(r, p->value, schema, object);
            else if (!json_object_get(object, key_of(r, p)))
                go_on = read_pair(r, p, schema, object);
        }
    } else {
        (void)refuse(r, &n->start_mark, "\"<<\" takes a map, as *NAME, or a list of them");
    }
    r->depth--;
    return go_on;
}

static json_t *read_map(struct reader *r, const yaml_node_t *n, const char *key, const struct schema *schema) {
    AUTO_JSON json_t *object = json_object();

    if (n->type != YAML_MAPPING_NODE)
        return wrong_type(r, n, key, schema->kind);
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++)
        if (!is_merge(r, p) && !read_pair(r, p, schema, object))
            return NULL;
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++)
        if (is_merge(r, p) && !merge(r, p->value, schema, object))
            return NULL;
    for (const struct schema_field *f = schema->fields; f && f->key; f++)
        if (f->required && !json_object_get(object, f->key))
            (void)refuse(r, &n->start_mark, "\"%s\" is missing here; add it", f->key);
    if (schema->kind == VALUE_OBJECT && set_place(r, n, "", object) < 0)
        return NULL;
    return steal_ptr(&object);
}

static json_t *read_node(struct reader *r, int index, const char *key, const struct schema *schema) {
    const yaml_node_t *n = yaml_document_get_node(&r->doc, index);
    json_t *value;

    if (++r->values > YAML_MAX_VALUES || ++r->depth > YAML_MAX_DEPTH)
        return give_up(r, n);
    if (schema->kind == VALUE_LIST)
        value = read_list(r, n, key, schema);
    else if (schema->kind == VALUE_OBJECT || schema->kind == VALUE_STRING_MAP)
        value = read_map(r, n, key, schema);
    else
        value = read_scalar(r, n, key, schema);
    r->depth--;
    return value;
}

static void syntax_error(struct reader *r, const yaml_parser_t *p) {
    bool scanned = p->error == YAML_SCANNER_ERROR || p->error == YAML_PARSER_ERROR || p->error == YAML_COMPOSER_ERROR;
    const char *why = p->problem ? p->problem : "out of memory";
    bool tab = !strcmp(why, "found character that cannot start any token");

    (void)refuse(r, scanned ? &p->problem_mark : &p->mark, "not valid YAML: %s%s%s%s", why, p->context ? " " : "",
                 p->context ? p->context : "", tab ? "; indent with blanks, not with tabs" : "");
}

/*
 * libyaml takes time with the square of the levels, so they are counted before it makes a document of them. False:
 * there are too many, which is reported; a syntax error is left to yaml_parser_load().
 */
static bool check_levels(struct reader *r, const char *text, size_t len) {
    yaml_parser_t parser;
    unsigned depth = 0;
    bool more = yaml_parser_initialize(&parser), fits = true;

    if (!more)
        return true;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    while (more && fits) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event))
            break;
        if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT)
            depth++;
        else if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
            depth--;
        fits = depth <= YAML_MAX_DEPTH;
        if (!fits)
            too_much(r, &event.start_mark);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return fits;
}

/* What would be ignored silently otherwise. */
static void refuse_second(struct reader *r, yaml_parser_t *parser) {
    yaml_document_t second; /* without a root at the end of the stream */

    if (!yaml_parser_load(parser, &second)) {
        syntax_error(r, parser);
        return;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    if (root)
        (void)refuse(r, &root->start_mark, "a second document begins here; put it into a file of its own");
    yaml_document_delete(&second);
}

int yaml_read(const char *file, const char *text, size_t len, const struct schema *schema, bool places,
              struct problems *problems, json_t **out, struct err *e) {
    AUTO_PROBLEMS struct problems own = {0};
    struct reader r = {.file = file, .places = places, .problems = problems ? problems : &own};
    unsigned before = r.problems->count;
    yaml_parser_t parser;

    *out = NULL;
    if (!check_levels(&r, text, len))
        return problems_result(r.problems, e);
    if (!yaml_parser_initialize(&parser))
        return err_errno(e, -ENOMEM, "could not read %s", file);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (!yaml_parser_load(&parser, &r.doc)) {
        syntax_error(&r, &parser);
    } else {
        *out = yaml_document_get_root_node(&r.doc) ? read_node(&r, 1, "the document", schema) : json_object();
        yaml_document_delete(&r.doc);
        refuse_second(&r, &parser);
    }
    yaml_parser_delete(&parser);
    if (r.problems->count == before)
        return *out ? 0 : err_errno(e, -ENOMEM, "could not read %s", file);
    return problems_result(r.problems, e);
}
