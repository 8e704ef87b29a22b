/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/registry/options.h"

#define REGISTRY_LONG_OPTIONS                                                                                          \
    {"mirror", required_argument, NULL, OPT_REGISTRY_MIRROR},                                                          \
        {"plain-http", required_argument, NULL, OPT_REGISTRY_PLAIN_HTTP},                                              \
        {"ca", required_argument, NULL, OPT_REGISTRY_CA}, {"cert-file", required_argument, NULL, OPT_REGISTRY_CA},     \
        {"creds", required_argument, NULL, OPT_REGISTRY_CREDS}, {                                                      \
        "registry-creds", required_argument, NULL, OPT_REGISTRY_CREDS_FOR                                              \
    }

#define IMAGE_LONG_OPTIONS                                                                                             \
    {"pull", optional_argument, NULL, OPT_IMAGE_PULL}, {"offline", optional_argument, NULL, OPT_IMAGE_OFFLINE},        \
        {"docker", optional_argument, NULL, OPT_IMAGE_DOCKER}, {"policy", required_argument, NULL, OPT_IMAGE_POLICY},  \
        REGISTRY_LONG_OPTIONS

static bool add(struct registry_list *list, const char **text, const char *value, const char *separator) {
    buf_reset(&list->all);
    if (buf_printf(&list->given, "%s%s", value, separator) < 0 || buf_puts(&list->all, list->given.data) < 0 ||
        buf_puts(&list->all, list->env ? list->env : "") < 0)
        return false;
    *text = list->all.data;
    return true;
}

void registry_flags_init(struct registry_flags *f) {
    *f = (struct registry_flags){0};
    registry_options_from_env(&f->options);
    f->mirrors.env = f->options.mirrors;
    f->plain_http.env = f->options.plain_http;
}

bool registry_flags_take(struct registry_flags *f, int option, const char *value) {
    switch (option) {
    case OPT_REGISTRY_MIRROR:
        return add(&f->mirrors, &f->options.mirrors, value, " ");
    case OPT_REGISTRY_PLAIN_HTTP:
        return add(&f->plain_http, &f->options.plain_http, value, " ");
    case OPT_REGISTRY_CA:
        f->options.ca_file = value;
        return true;
    case OPT_REGISTRY_CREDS:
        f->options.creds = value;
        return true;
    case OPT_REGISTRY_CREDS_FOR: /* a password may have any character but this one */
        return add(&f->creds_for, &f->options.creds_for, value, "\n");
    case OPT_IMAGE_PULL:
        return options_flag("pull", value, &f->pull);
    case OPT_IMAGE_OFFLINE:
        return options_flag("offline", value, &f->offline);
    case OPT_IMAGE_DOCKER:
        return options_flag("docker", value, &f->docker);
    case OPT_IMAGE_POLICY:
        f->policy = value;
        return true;
    default:
        return false;
    }
}

static bool take(void *to, int option, const char *value) {
    return registry_flags_take(to, option, value);
}

struct option_group registry_option_group(struct registry_flags *f) {
    static const struct option v[] = {REGISTRY_LONG_OPTIONS};

    return (struct option_group){v, ARRAY_SIZE(v), take, f};
}

struct option_group image_option_group(struct registry_flags *f) {
    static const struct option v[] = {IMAGE_LONG_OPTIONS};

    return (struct option_group){v, ARRAY_SIZE(v), take, f};
}

void registry_flags_free(struct registry_flags *f) {
    struct registry_list *const lists[] = {&f->mirrors, &f->plain_http, &f->creds_for};

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        buf_free(&lists[i]->given);
        buf_free(&lists[i]->all);
    }
}
