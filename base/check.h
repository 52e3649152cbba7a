/*
 * check.h: assertions. Plain assert() is banned in this tree (tests/shape holds to it).
 *
 * exp_require  must hold, always on: a violation is a bug that nothing can repair; logs and aborts (the service manager
 *              restarts the daemon, storage is the truth).
 * exp_expect   should hold: aborts when EXPUNGE_STRICT is defined (developer and test builds), logs an error and
 *              carries on otherwise. The value is the condition, so that a caller can leave early.
 * A peer's mistake is never an assertion: it is an error code.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdbool.h>

#define exp_require(cond) ((cond) ? (void)0 : check_abort(#cond, __FILE__, __LINE__))
#define exp_expect(cond)  ((cond) ? true : check_report(#cond, __FILE__, __LINE__))

__attribute__((noreturn)) void check_abort(const char *condition, const char *file, int line);
bool check_report(const char *condition, const char *file, int line);

#endif
