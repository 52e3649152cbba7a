/*
 * The `expunge` program. Everything it can do is in commands.def.
 */
#include <stdio.h>

#include "base/digest.h"
#include "cli/command.h"

int main(int argc, char **argv)
{
	if (crypto_init()) {
		fprintf(stderr, "expunge: the system gives no random numbers\n");
		return EXIT_TROUBLE;
	}
	return command_main(argc, argv);
}
