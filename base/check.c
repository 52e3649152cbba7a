#include "base/check.h"

#include <stdlib.h>

#include "base/log.h"

void check_abort(const char *condition, const char *file, int line)
{
	log_error("check_failed", "condition=\"%s\" at=%s:%d", condition, file, line);
	abort();
}

bool check_report(const char *condition, const char *file, int line)
{
#ifdef EXPUNGE_STRICT
	check_abort(condition, file, line);
#else
	log_error("check_failed", "condition=\"%s\" at=%s:%d", condition, file, line);
	return false;
#endif
}
