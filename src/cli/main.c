/*
 * main.c - the program kopilka: finds the command and runs it.
 *
 * Owns:      the list of commands, general help, what happens when an assertion fails.
 * Must not:  do any work of a command.
 * Tests:     tests/stories/
 */
#include "cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_serve,  &command_demo,   &command_programme, &command_import, &command_export,
    &command_evaluate, &command_replay, &command_verify, &command_daily, &command_key,
    &command_backup, &command_restore, &command_migrate, &command_upgrade,
};

/* A bug of ours: say where and abort. What was not acknowledged was not promised. */
_Noreturn void
kop_check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "kopilka: a bug: %s:%d: %s\n", file, line, condition);
    abort();
}

static void
print_help(FILE *out)
{
    fputs("kopilka - a loyalty platform that a company runs itself\n\n"
          "usage: kopilka COMMAND [OPTIONS]\n\n",
          out);
    for (size_t i = 0; i < KOP_COUNT(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n`kopilka COMMAND --help` tells more. A first look: `kopilka demo`.\n", out);
}

int
main(int argc, char **argv)
{
    struct arguments arguments;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    for (size_t i = 0; i < KOP_COUNT(commands); i++) {
        if (strcmp(argv[1], commands[i]->name) != 0)
            continue;
        int rc = arguments_read(commands[i], argc - 2, argv + 2, &arguments);
        return rc ? (rc < 0 ? 0 : rc) : commands[i]->run(&arguments);
    }
    fprintf(stderr, "kopilka: no command '%s'; `kopilka help` lists them\n", argv[1]);
    return 2;
}
