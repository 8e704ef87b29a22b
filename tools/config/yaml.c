/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

#include "lib/json.h"
#include "tools/config/scalar.h"
#include "tools/config/tags.h"
#include "tools/config/yaml.h"

/* What was refused is null in the result, so that the rest can be looked at too; the result is not used then. */
struct reader {
    yaml_document_t doc;
    const char *file, *text;
    size_t len;
    struct tags tags;
    bool places;
    const struct yaml_strings *strings; /* NULL: they stay as they are */
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

static bool is_plain(const struct reader *r, const yaml_node_t *n) {
    return n->type == YAML_SCALAR_NODE && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tags_find(&r->tags, n);
}

static enum scalar resolve(const struct reader *r, const yaml_node_t *n, json_int_t *number) {
    const struct tag *tag = tags_find(&r->tags, n);
    enum scalar is = tag || is_plain(r, n) ? scalar_resolve((const char *)n->data.scalar.value, number) : SCALAR_STRING;

    return tag ? tag->is : is;
}

static const char *found(const struct reader *r, const yaml_node_t *n) {
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
    if (is_plain(r, n) && n->data.scalar.length &&
        strspn((const char *)n->data.scalar.value, "+-0123456789") == n->data.scalar.length &&
        resolve(r, n, &number) == SCALAR_FLOAT)
        return "a number of more than 63 bits";
    return n->type == YAML_SEQUENCE_NODE ? "a list" : scalars[resolve(r, n, &number)];
}

static json_t *wrong_type(struct reader *r, const yaml_node_t *n, const char *key, enum value_kind want) {
    bool quote = want == VALUE_STRING && is_plain(r, n) && n->data.scalar.length;
    bool drop = n->type == YAML_SCALAR_NODE && !n->data.scalar.length;

    return refuse(r, &n->start_mark, "\"%.100s\" must be %s, not %s%s", key, schema_kind_name(want), found(r, n),
                  quote  ? "; put it in quotes"
                  : drop ? "; give a value or leave the key out"
                         : "");
}

static json_t *put_string(struct reader *r, const yaml_node_t *n, const char *s) {
    AUTO_FREE char *other = NULL;
    struct err e = {0};

    if (r->strings && r->strings->replace(r->strings->data, s, &other, &e) < 0)
        (void)refuse(r, &n->start_mark, "%s", e.msg);
    return json_string(other ? other : s);
}

static json_t *read_string(struct reader *r, const yaml_node_t *n, const char *key, const struct schema *schema) {
    const char *s = (const char *)n->data.scalar.value;

    if (!take_bytes(r, n))
        return NULL;
    if (strlen(s) != n->data.scalar.length)
        return refuse(r, &n->start_mark, "\"%.100s\" contains a NUL character", key);
    if (schema->is_valid && !schema->is_valid(s))
        return refuse(r, &n->start_mark, "\"%s\" must be %s, not \"%.100s\"", key, schema->expected, s);
    return put_string(r, n, s);
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
    enum scalar is = resolve(r, n, &number);
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

/* "@KEY": a list of where the value stands; of a list, of where each of its values does. */
static int set_place(struct reader *r, const yaml_node_t *n, const char *key, json_t *object) {
    char name[64];
    json_t *place = NULL;
    int ret = 0;

    if (!r->places)
        return 0;
    (void)snprintf(name, sizeof(name), "@%s", key);
    place = json_array();
    if (n->type != YAML_SEQUENCE_NODE)
        ret = json_array_append_new(place, place_of(r, n));
    else
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

/* Where a byte of the text is: libyaml has a mark of what it has parsed only, not of what it could not read. */
static yaml_mark_t mark_of(const struct reader *r, size_t offset) {
    yaml_mark_t at = {.index = offset};
    size_t bom = r->len >= 3 && !memcmp(r->text, "\xef\xbb\xbf", 3) ? 3 : 0;

    for (size_t i = bom; i < offset && i < r->len; i++) {
        at.line += r->text[i] == '\n';
        at.column = r->text[i] == '\n' ? 0 : at.column + (((unsigned char)r->text[i] & 0xC0) != 0x80);
    }
    return at;
}

static void unreadable(struct reader *r, const yaml_parser_t *p, const char *why) {
    yaml_mark_t at = mark_of(r, p->problem_offset);

    if (p->problem_value < 0)
        (void)refuse(r, &at, "not valid YAML: %s; write the file in UTF-8", why);
    else if (strstr(why, "control characters"))
        (void)refuse(r, &at, "not valid YAML: %s: U+%04X; in double quotes it may stand as \"\\u%04X\"", why,
                     (unsigned)p->problem_value, (unsigned)p->problem_value);
    else
        (void)refuse(r, &at, "not valid YAML: %s: 0x%02X; write the file in UTF-8", why, (unsigned)p->problem_value);
}

/* The first byte of the character there: libyaml counts characters. */
static char char_at(const struct reader *r, const yaml_mark_t *at) {
    const char *s = r->text, *end = r->text + r->len;
    size_t column = 0;

    for (size_t line = 0; line < at->line && s; line++) {
        s = memchr(s, '\n', (size_t)(end - s));
        s = s ? s + 1 : NULL;
    }
    for (; s && s < end && (column < at->column || ((unsigned char)*s & 0xC0) == 0x80); s++)
        column += ((unsigned char)*s & 0xC0) != 0x80;
    return s && s < end ? *s : '\0';
}

/* What to do about a character that no token begins with. */
static const char *way_out(const struct reader *r, const yaml_mark_t *at) {
    char c = char_at(r, at);

    return c == '\t'                          ? "; indent with blanks, not with tabs"
           : c == '@' || c == '`' || c == '%' ? "; put the text into quotes"
                                              : "";
}

static void syntax_error(struct reader *r, const yaml_parser_t *p) {
    bool scanned = p->error == YAML_SCANNER_ERROR || p->error == YAML_PARSER_ERROR || p->error == YAML_COMPOSER_ERROR;
    const char *why = p->problem ? p->problem : "out of memory";
    bool no_token = !strcmp(why, "found character that cannot start any token");

    if (p->error == YAML_READER_ERROR)
        unreadable(r, p, why);
    else
        (void)refuse(r, scanned ? &p->problem_mark : &p->mark, "not valid YAML: %s%s%s%s", why, p->context ? " " : "",
                     p->context ? p->context : "", no_token ? way_out(r, &p->problem_mark) : "");
}

static int note_tag(struct reader *r, const yaml_event_t *event) {
    static const char core[] = "tag:yaml.org,2002:";
    enum tags_result result = tags_note(&r->tags, event);
    const char *tag = tags_of(event);
    bool shorter = tag && !strncmp(tag, core, strlen(core));

    if (shorter)
        tag += strlen(core);
    if (result == TAGS_UNKNOWN)
        (void)refuse(r, &event->start_mark, "the tag \"%s%.100s\" means nothing here; remove it", shorter ? "!!" : "",
                     tag);
    if (result == TAGS_WRONG)
        (void)refuse(r, &event->start_mark, "\"%.100s\" is not what its tag \"!!%s\" says; change one of them",
                     (const char *)event->data.scalar.value, tag);
    return result == TAGS_NO_MEMORY ? -ENOMEM : 0;
}

struct counts {
    unsigned depth, anchors, aliases;
};

static bool has_anchor(const yaml_event_t *event) {
    return event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor != NULL
           : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor != NULL
           : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.anchor != NULL
                                                      : false;
}

/* False: it is too much, which is reported. */
static bool count(struct reader *r, const yaml_event_t *event, struct counts *c) {
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
        c->depth++;
    else if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
        c->depth--;
    c->anchors += has_anchor(event);
    c->aliases += event->type == YAML_ALIAS_EVENT;
    if (c->depth > YAML_MAX_DEPTH)
        too_much(r, &event->start_mark);
    else if (c->anchors > YAML_MAX_ANCHORS || c->aliases > YAML_MAX_ALIASES)
        (void)refuse(r, &event->start_mark, "too much: more than %d anchors or %d aliases", YAML_MAX_ANCHORS,
                     YAML_MAX_ALIASES);
    else
        return true;
    return false;
}

/* libyaml gives no event for one; they begin their lines, where a document that we read has nothing like it. */
static bool count_tag_directives(struct reader *r) {
    static const char directive[] = "\n%TAG";
    const char *at = r->text, *end = r->text + r->len;

    for (unsigned n = 0; (at = memmem(at, (size_t)(end - at), directive, strlen(directive))); at++)
        if (++n > YAML_MAX_TAG_DIRECTIVES) {
            yaml_mark_t mark = mark_of(r, (size_t)(at + 1 - r->text));
            (void)refuse(r, &mark, "too much: more than %d %%TAG directives", YAML_MAX_TAG_DIRECTIVES);
            return false;
        }
    return true;
}

/*
 * libyaml takes time with the square of the levels and of the anchors, so they are counted before it makes a document
 * of them; tags are noted on the way. *fits is false if there are too many, which is reported; a syntax error is left
 * to yaml_parser_load(). -ENOMEM.
 */
static int scan(struct reader *r, bool *fits) {
    yaml_parser_t parser;
    struct counts counts = {0};
    bool more = true;
    int result = 0;

    *fits = count_tag_directives(r);
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)r->text, r->len);
    while (more && *fits && !result) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event))
            break;
        *fits = count(r, &event, &counts);
        result = note_tag(r, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return result;
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

static int read_text(struct reader *r, const struct schema *schema, json_t **out) {
    yaml_parser_t parser;
    bool fits;
    int result = scan(r, &fits);

    if (result < 0 || !fits)
        return result;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)r->text, r->len);
    if (!yaml_parser_load(&parser, &r->doc)) {
        syntax_error(r, &parser);
    } else {
        *out = yaml_document_get_root_node(&r->doc) ? read_node(r, 1, "the document", schema) : json_object();
        yaml_document_delete(&r->doc);
        refuse_second(r, &parser);
    }
    yaml_parser_delete(&parser);
    return 0;
}

static int read_all(struct reader *r, const struct schema *schema, struct problems *problems, json_t **out,
                    struct err *e) {
    AUTO_PROBLEMS struct problems own = {0};

    r->problems = problems ? problems : &own;
    unsigned before = r->problems->count;
    *out = NULL;
    int result = read_text(r, schema, out);
    tags_free(&r->tags);
    if (r->problems->count > before)
        return problems_result(r->problems, e);
    return result || !*out ? err_errno(e, -ENOMEM, "could not read %s", r->file) : 0;
}

int yaml_read(const char *file, const char *text, size_t len, const struct schema *schema, bool places,
              struct problems *problems, json_t **out, struct err *e) {
    struct reader r = {.file = file, .text = text, .len = len, .places = places};

    return read_all(&r, schema, problems, out, e);
}

int yaml_read_replaced(const char *file, const char *text, size_t len, const struct schema *schema,
                       const struct yaml_strings *strings, struct problems *problems, json_t **out, struct err *e) {
    struct reader r = {.file = file, .text = text, .len = len, .places = true, .strings = strings};

    return read_all(&r, schema, problems, out, e);
}
