/* SPDX-License-Identifier: Apache-2.0 */
/* The options that every command that may talk to a registry has. They add to what the environment says. */
#ifndef TOOLS_REGISTRY_OPTIONS_H
#define TOOLS_REGISTRY_OPTIONS_H

#include "lib/buf.h"
#include "tools/cli/options.h"
#include "tools/registry/registry.h"

enum {
    OPT_REGISTRY_MIRROR = FIRST_SHARED,
    OPT_REGISTRY_PLAIN_HTTP,
    OPT_REGISTRY_CA,
    OPT_REGISTRY_CREDS,
    OPT_REGISTRY_CREDS_FOR,
    OPT_IMAGE_PULL,
    OPT_IMAGE_OFFLINE,
    OPT_IMAGE_DOCKER,
    OPT_IMAGE_POLICY,
};

#define REGISTRY_USAGE                                                                                                 \
    "  --mirror [REGISTRY=]URL   ask this server first; may be repeated ($KEELSON_MIRROR)\n"                           \
    "  --plain-http HOST[:PORT]  this registry has no TLS; may be repeated ($KEELSON_PLAIN_HTTP)\n"                    \
    "  --ca FILE          certificates to trust besides the system's ($KEELSON_CA)\n"                                  \
    "  --creds USER:PASSWORD     for the registry (default: Docker's config.json; $KEELSON_CREDS)\n"                   \
    "  --registry-creds REGISTRY=USER:PASSWORD   if there are several; may be repeated\n"

/* The options of a command that takes images as image_ensure() brings them. */
#define IMAGE_USAGE                                                                                                    \
    "  --pull               ask the registries for tags that the cache has, too\n"                                     \
    "  --offline            pull nothing: what is not in the cache is an error\n"                                      \
    "  --docker             take images from Docker's own store if it has them\n"                                      \
    "  --policy FILE        which images must be signed, and by whom (default: $KEELSON_POLICY,\n"                     \
    "                       ~/.config/keelson/policy.json)\n" REGISTRY_USAGE

/* What is given on the command line, in order, before what the environment says. */
struct registry_list {
    const char *env;
    struct buf given, all;
};

struct registry_flags {
    struct registry_options options;
    struct registry_list mirrors, plain_http, creds_for;
    bool pull, offline, docker; /* as image_ensure's */
    const char *policy;         /* for policy_load() */
};

void registry_flags_init(struct registry_flags *f); /* from the environment */
/* False: the option is none of these, or memory is gone. */
bool registry_flags_take(struct registry_flags *f, int option, const char *value);
/* For a command's table: they are taken into f. The second has those of a command that image_ensure()s, too. */
struct option_group registry_option_group(struct registry_flags *f);
struct option_group image_option_group(struct registry_flags *f);
void registry_flags_free(struct registry_flags *f);

#endif
