/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/config/yaml.h"

struct reader {
    yaml_document_t doc;
    const char *file;
    bool places;
    unsigned values;
    unsigned depth;
    struct err *e;
};

PRINTF_LIKE(3, 4)
static json_t *refuse(struct reader *r, const yaml_node_t *n, const char *fmt, ...) {
    char why[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    (void)err_set(r->e, -EINVAL, "%s:%zu:%zu: %s", r->file, n->start_mark.line + 1, n->start_mark.column + 1, why);
    return NULL;
}

/* What a plain (unquoted) scalar is. */
enum scalar { SCALAR_STRING, SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT };

static bool is_one_of(const char *s, const char *const *words) {
    for (; *words; words++)
        if (!strcmp(s, *words))
            return true;
    return false;
}

static bool is_int(const char *s, json_int_t *out) {
    bool negative = *s == '-';
    char digits[72];
    size_t len = 0;
    int base = 10;

    s += *s == '-' || *s == '+';
    if (!strncmp(s, "0x", 2) || !strncmp(s, "0o", 2) || !strncmp(s, "0b", 2)) {
        base = s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : 2;
        s += 2;
    } else if (*s == '0' && s[1]) { /* YAML 1.1 wrote octal numbers like C does */
        base = 8;
    }
    for (; *s; s++)
        if (*s != '_') {
            if (len + 2 >= sizeof(digits) || !strchr("0123456789abcdefABCDEF", *s))
                return false;
            digits[len++] = *s;
        }
    digits[len] = '\0';
    char *end;
    errno = 0;
    long long value = strtoll(digits, &end, base);
    *out = negative ? -value : value;
    return len && !*end && !errno;
}

static bool is_float(const char *s) {
    static const char *const words[] = {".inf",  ".Inf", ".INF", "-.inf", "-.Inf",
                                        "-.INF", ".nan", ".NaN", ".NAN",  NULL};
    char *end;

    if (is_one_of(s, words))
        return true;
    if (strspn(s, "+-.0123456789eE") != strlen(s) || !strpbrk(s, "0123456789"))
        return false;
    (void)strtod(s, &end);
    return !*end;
}

static enum scalar resolve(const yaml_node_t *n, json_int_t *number) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    const char *s = (const char *)n->data.scalar.value;

    if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (n->tag && !strcmp((const char *)n->tag, "!")))
        return SCALAR_STRING;
    if (is_one_of(s, nulls))
        return SCALAR_NULL;
    if (is_one_of(s, bools))
        return SCALAR_BOOL;
    if (is_int(s, number))
        return SCALAR_INT;
    return is_float(s) ? SCALAR_FLOAT : SCALAR_STRING;
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
    return n->type == YAML_SEQUENCE_NODE ? "a list" : scalars[resolve(n, &number)];
}

static json_t *wrong_type(struct reader *r, const yaml_node_t *n, const char *key, enum value_kind want) {
    bool quote = want == VALUE_STRING && n->type == YAML_SCALAR_NODE && n->data.scalar.length;
    bool drop = n->type == YAML_SCALAR_NODE && !n->data.scalar.length;

    return refuse(r, n, "\"%s\" must be %s, not %s%s", key, schema_kind_name(want), found(n),
                  quote  ? "; put it in quotes"
                  : drop ? "; give a value or leave the key out"
                         : "");
}

static json_t *read_scalar(struct reader *r, const yaml_node_t *n, const char *key, enum value_kind want) {
    json_int_t number = 0;

    if (n->type != YAML_SCALAR_NODE)
        return wrong_type(r, n, key, want);
    const char *s = (const char *)n->data.scalar.value;
    enum scalar is = resolve(n, &number);
    if (is == SCALAR_STRING && (want == VALUE_STRING || want == VALUE_ID)) {
        if (strlen(s) != n->data.scalar.length)
            return refuse(r, n, "\"%s\" contains a NUL character", key);
        return json_string(s);
    }
    if (is == SCALAR_INT && (want == VALUE_INT || want == VALUE_ID))
        return json_integer(number);
    if (is == SCALAR_BOOL && want == VALUE_BOOL)
        return json_boolean(*s == 't' || *s == 'T');
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

/* Levenshtein distance of short words, for "did you mean". */
static unsigned distance(const char *a, const char *b) {
    unsigned row[33];
    size_t len = strlen(b);

    if (len > 32)
        return 99;
    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            unsigned least = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[len];
}

static json_t *unknown_key(struct reader *r, const yaml_node_t *n, const struct schema *schema, const char *key) {
    const struct schema_field *best = NULL;
    unsigned least = 3;

    for (const struct schema_field *f = schema->fields; f->key; f++) {
        unsigned d = distance(key, f->key);
        if (d < least) {
            least = d;
            best = f;
        }
    }
    if (best)
        return refuse(r, n, "unknown key \"%s\"; did you mean \"%s\"?", key, best->key);
    return refuse(r, n, "unknown key \"%s\"; check its name and its indentation", key);
}

static json_t *read_pair(struct reader *r, const yaml_node_pair_t *p, const struct schema *schema, json_t *object) {
    static const struct schema string = {.kind = VALUE_STRING};
    const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key);
    const struct schema *value_schema = &string;

    if (k->type != YAML_SCALAR_NODE || strlen((const char *)k->data.scalar.value) != k->data.scalar.length)
        return refuse(r, k, "a key must be a word");
    const char *key = (const char *)k->data.scalar.value;
    if (json_object_get(object, key))
        return refuse(r, k, "\"%s\" is there twice; remove one", key);
    if (schema->kind == VALUE_OBJECT) {
        const struct schema_field *f = find_field(schema, key);
        if (!f)
            return unknown_key(r, k, schema, key);
        value_schema = f->value;
    }
    json_t *value = read_node(r, p->value, key, value_schema);
    return value && json_object_set_new(object, key, value) == 0 ? object : NULL;
}

static const char *key_of(const struct reader *r, const yaml_node_pair_t *p) {
    const yaml_node_t *k = yaml_document_get_node((yaml_document_t *)(uintptr_t)&r->doc, p->key);

    return k->type == YAML_SCALAR_NODE ? (const char *)k->data.scalar.value : "";
}

static bool is_merge(const struct reader *r, const yaml_node_pair_t *p) {
    return !strcmp(key_of(r, p), "<<");
}

/* `<<: *base` (https://yaml.org/type/merge.html): the base's keys, where the map has none of its own. */
static json_t *merge(struct reader *r, int index, const struct schema *schema, json_t *object) {
    const yaml_node_t *n = yaml_document_get_node(&r->doc, index);
    json_t *result = object;

    if (++r->values > YAML_MAX_VALUES || ++r->depth > YAML_MAX_DEPTH)
        return refuse(r, n, "nested too deep");
    if (n->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = n->data.sequence.items.start; result && i < n->data.sequence.items.top; i++)
            result = merge(r, *i, schema, object);
    } else if (n->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *p = n->data.mapping.pairs.start; result && p < n->data.mapping.pairs.top; p++) {
            if (is_merge(r, p))
                result = merge(r, p->value, schema, object);
            else if (!json_object_get(object, key_of(r, p)))
                result = read_pair(r, p, schema, object);
        }
    } else {
        result = refuse(r, n, "\"<<\" takes a map, as *NAME, or a list of them");
    }
    r->depth--;
    return result;
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
            return refuse(r, n, "\"%s\" is missing here; add it", f->key);
    if (r->places && schema->kind == VALUE_OBJECT &&
        json_object_set_new(object, "@",
                            json_sprintf("%s:%zu:%zu", r->file, n->start_mark.line + 1, n->start_mark.column + 1)) < 0)
        return NULL;
    return steal_ptr(&object);
}

static json_t *read_node(struct reader *r, int index, const char *key, const struct schema *schema) {
    const yaml_node_t *n = yaml_document_get_node(&r->doc, index);
    json_t *value;

    if (++r->values > YAML_MAX_VALUES)
        return refuse(r, n, "too many values (more than %d with aliases)", YAML_MAX_VALUES);
    if (++r->depth > YAML_MAX_DEPTH)
        return refuse(r, n, "nested too deep");
    if (schema->kind == VALUE_LIST)
        value = read_list(r, n, key, schema);
    else if (schema->kind == VALUE_OBJECT || schema->kind == VALUE_STRING_MAP)
        value = read_map(r, n, key, schema);
    else
        value = read_scalar(r, n, key, schema->kind);
    r->depth--;
    return value;
}

static int read_document(struct reader *r, const struct schema *schema, json_t **out) {
    yaml_node_t *root = yaml_document_get_root_node(&r->doc);

    *out = root ? read_node(r, 1, "the document", schema) : json_object();
    if (*out)
        return 0;
    return r->e->code ? r->e->code : err_errno(r->e, -ENOMEM, "could not read %s", r->file);
}

/* What would be ignored silently otherwise. */
static int refuse_second(yaml_parser_t *parser, const char *file, json_t **out, struct err *e) {
    yaml_document_t second; /* without a root at the end of the stream */
    int r = 0;

    if (!yaml_parser_load(parser, &second)) {
        r = err_set(e, -EINVAL, "%s:%zu:%zu: not valid YAML: %s", file, parser->problem_mark.line + 1,
                    parser->problem_mark.column + 1, parser->problem ? parser->problem : "out of memory");
    } else {
        const yaml_node_t *root = yaml_document_get_root_node(&second);
        if (root)
            r = err_set(e, -EINVAL, "%s:%zu:%zu: a second document begins here; put it into a file of its own", file,
                        root->start_mark.line + 1, root->start_mark.column + 1);
        yaml_document_delete(&second);
    }
    if (r < 0) {
        json_decref(*out);
        *out = NULL;
    }
    return r;
}

int yaml_read(const char *file, const char *text, size_t len, const struct schema *schema, bool places, json_t **out,
              struct err *e) {
    struct err local = {0};
    struct reader r = {.file = file, .places = places, .e = e ? e : &local};
    yaml_parser_t parser;
    int ret;

    r.e->code = 0;
    if (!yaml_parser_initialize(&parser))
        return err_errno(e, -ENOMEM, "could not read %s", file);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (!yaml_parser_load(&parser, &r.doc)) {
        bool scanned = parser.error == YAML_SCANNER_ERROR || parser.error == YAML_PARSER_ERROR ||
                       parser.error == YAML_COMPOSER_ERROR;
        yaml_mark_t at = scanned ? parser.problem_mark : parser.mark;
        ret = err_set(e, -EINVAL, "%s:%zu:%zu: not valid YAML: %s%s%s", file, at.line + 1, at.column + 1,
                      parser.problem ? parser.problem : "out of memory", parser.context ? " " : "",
                      parser.context ? parser.context : "");
    } else {
        ret = read_document(&r, schema, out);
        yaml_document_delete(&r.doc);
        if (!ret)
            ret = refuse_second(&parser, file, out, e);
    }
    yaml_parser_delete(&parser);
    return ret;
}
