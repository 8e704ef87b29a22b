/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/completion/completion.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"

#define EXIT_USAGE 100

static const char usage[] = "usage: keelson completion bash\n"
                            "Prints a script; in ~/.bashrc:  . <(keelson completion bash)\n";

/* Words come from the help texts, so that there is no second list of them; what is left is a file. */
static const char script[] =
    "_keelson() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "        words=$(keelson --help 2>/dev/null | sed -n 's/^  \\([a-z]*\\) .*/\\1/p')\n"
    "    elif [ \"${current#-}\" != \"$current\" ]; then\n"
    "        words=$(keelson \"$command\" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*')\n"
    "    elif [ \"$COMP_CWORD\" -eq 2 ]; then\n"
    "        words=$(keelson \"$command\" --help 2>/dev/null | grep -oE \"keelson $command [a-z][a-z-]+\" |\n"
    "            sed 's/.* //')\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\" | sort -u)\n"
    "    [ \"${#COMPREPLY[@]}\" -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
    "}\n"
    "complete -o filenames -F _keelson keelson\n";

int completion_main(int argc, char **argv) {
    const char *word = argc == 2 ? argv[1] : "";

    if (!strcmp(word, "--help") || !strcmp(word, "-help") || !strcmp(word, "-h"))
        return fputs(usage, stdout) < 0;
    if (!strcmp(word, "bash"))
        return fputs(script, stdout) < 0 || fflush(stdout) != 0;
    log_error("completion is for bash: keelson completion bash");
    return EXIT_USAGE;
}
