/*
 * import_path.h: paths that clients name, held below the operator's import root.
 * Threads: any.
 */
#ifndef API_IMPORT_PATH_H
#define API_IMPORT_PATH_H

#include "base/error.h"

/*
 * The real path of a file that is given relative to root, or absolute below it: every link is followed first, so that
 * nothing leads out. EXP_EFORBIDDEN: root is NULL, imports by path are off. EXP_EFIELD with the pointer: no such file,
 * not a regular file, or outside (which says no more than that it is not there). The caller frees *out.
 */
EXP_NODISCARD int import_path_resolve(const char *root, const char *path, const char *pointer, char **out,
				      struct exp_error *err);

#endif
