/*
 * intake.h: libmicrohttpd's callbacks: from the first header of a call to its answer.
 *
 *   headers  find the route, read the query, check the token, the type and the declared size
 *   body     collect it within its limit, into memory or into a staging file; a refused call's body is read and thrown
 *            away up to a bound, so that the client gets to read why
 *   end      parse JSON, run the handler, queue the reply, or leave the connection suspended
 *
 * Threads: HTTP threads, each connection always on the same.
 */
#ifndef API_INTAKE_H
#define API_INTAKE_H

#include <microhttpd.h>
#include <stddef.h>

enum MHD_Result intake_access(void *api, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *data, size_t *size, void **slot);

void intake_completed(void *api, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode code);

#endif
