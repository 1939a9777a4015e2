/*
 * arguments.c - reading a command's options and words.
 *
 * Owns:      "--name VALUE", "--name=VALUE", flags, --help.
 * Tests:     tests/stories/
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static void
print_command_help(const struct command *command)
{
    printf("usage: kopilka %s%s%s%s\n\n%s\n", command->name, command->words ? " " : "",
           command->words ? command->words : "", command->option[0].name ? " [OPTIONS]" : "",
           command->summary);
    if (command->help)
        printf("\n%s\n", command->help);
    if (command->option[0].name)
        printf("\noptions:\n");
    for (const struct option *option = command->option; option->name; option++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", option->name, option->argument ? " " : "",
                 option->argument ? option->argument : "");
        printf("  %-22s %s\n", left, option->help);
    }
}

static int
find_option(const struct command *command, const char *name, size_t size)
{
    for (int i = 0; command->option[i].name; i++)
        if (strlen(command->option[i].name) == size &&
            memcmp(command->option[i].name, name, size) == 0)
            return i;
    return -1;
}

/* One "--option"; `*at` steps over a value of its own. */
static int
read_option(const struct command *command, int argc, char **argv, int *at, struct arguments *out)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    int which = find_option(command, name, size);

    if (which < 0) {
        fprintf(stderr, "kopilka: '%s' has no option '%s'; see `kopilka %s --help`\n",
                command->name, argv[*at], command->name);
        return 2;
    }
    if (!command->option[which].argument) {
        out->value[which] = "";
        return 0;
    }
    if (equals) {
        out->value[which] = equals + 1;
        return 0;
    }
    if (*at + 1 >= argc) {
        fprintf(stderr, "kopilka: option '%s' needs a value (%s)\n", argv[*at],
                command->option[which].argument);
        return 2;
    }
    out->value[which] = argv[++*at];
    return 0;
}

int
arguments_read(const struct command *command, int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){ .option = command->option };
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_command_help(command);
            return -1;
        }
        if (strncmp(argv[i], "--", 2) == 0) {
            int rc = read_option(command, argc, argv, &i, out);
            if (rc)
                return rc;
            continue;
        }
        if (out->word_count == command->words_max) {
            fprintf(stderr, "kopilka: '%s' is one word too many; see `kopilka %s --help`\n",
                    argv[i], command->name);
            return 2;
        }
        out->word[out->word_count++] = argv[i];
    }
    if (out->word_count < command->words_min) {
        fprintf(stderr, "kopilka: usage: kopilka %s %s\n", command->name, command->words);
        return 2;
    }
    return 0;
}

const char *
argument(const struct arguments *arguments, const char *name, const char *otherwise)
{
    for (int i = 0; arguments->option[i].name; i++)
        if (strcmp(arguments->option[i].name, name) == 0)
            return arguments->value[i] ? arguments->value[i] : otherwise;
    return otherwise;
}

bool
argument_given(const struct arguments *arguments, const char *name)
{
    return argument(arguments, name, NULL) != NULL;
}

uint64_t
argument_number(const struct arguments *arguments, const char *name, uint64_t otherwise,
                uint64_t most)
{
    const char *written = argument(arguments, name, NULL);
    uint64_t value;

    if (!written)
        return otherwise;
    if (text_to_u64(text_of(written), &value) && value <= most)
        return value;
    fprintf(stderr, "kopilka: --%s takes a whole number from 0 to %llu\n", name,
            (unsigned long long)most);
    exit(2);
}
