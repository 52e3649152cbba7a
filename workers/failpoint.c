#include "workers/failpoint.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void failpoint(enum job_kind kind, enum job_state state)
{
#ifdef EXPUNGE_FAILPOINTS
	const char *wanted = getenv("EXPUNGE_FAILPOINT");
	char *here;

	if (!wanted)
		return;
	here = mem_format("%s:%s", job_kind_name(kind), job_state_name(state));
	if (!strcmp(wanted, here))
		raise(SIGKILL);
	mem_free(here);
#else
	(void)kind;
	(void)state;
#endif
}
