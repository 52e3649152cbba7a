#include "api/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "api/intake.h"
#include "api/upload.h"
#include "storage/keys.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum { CONNECTION_MEMORY = 32 * 1024, STOP_POLL_MS = 5 };

static const struct api_options defaults = {
	.listen_address = "127.0.0.1",
	.threads = 2,
	.body_limit = 1 << 20,
	.infer_limit = 16 << 20,
	.upload_limit = (size_t)4 << 30,
	.connection_limit = 1024,
	.idle_timeout_s = 30,
};

static void resolve(struct api_options *to, const struct api_options *from)
{
	*to = *from;
	to->listen_address = mem_strdup(from->listen_address ? from->listen_address : defaults.listen_address);
	to->data_folder = mem_strdup(from->data_folder);
	to->import_root = from->import_root ? mem_strdup(from->import_root) : NULL;
	to->threads = from->threads ? from->threads : defaults.threads;
	to->body_limit = from->body_limit ? from->body_limit : defaults.body_limit;
	to->infer_limit = from->infer_limit ? from->infer_limit : defaults.infer_limit;
	to->upload_limit = from->upload_limit ? from->upload_limit : defaults.upload_limit;
	to->connection_limit = from->connection_limit ? from->connection_limit : defaults.connection_limit;
	to->idle_timeout_s = from->idle_timeout_s ? from->idle_timeout_s : defaults.idle_timeout_s;
	to->lookup_key = NULL; /* kept in struct api, which wipes it */
}

static void options_fini(struct api_options *o)
{
	mem_free((char *)o->listen_address);
	mem_free((char *)o->data_folder);
	mem_free((char *)o->import_root);
}

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	bool is_v6;
};

static int parse_address(const struct api_options *o, struct address *out, struct exp_error *err)
{
	struct address a = { 0 };

	if (inet_pton(AF_INET, o->listen_address, &a.at.v4.sin_addr) == 1) {
		a.at.v4.sin_family = AF_INET;
		a.at.v4.sin_port = htons(o->port);
	} else if (inet_pton(AF_INET6, o->listen_address, &a.at.v6.sin6_addr) == 1) {
		a.at.v6.sin6_family = AF_INET6;
		a.at.v6.sin6_port = htons(o->port);
		a.is_v6 = true;
	} else {
		return error_set(err, EXP_EINVAL, "listen address %s is not a numeric IPv4 or IPv6 address",
				 o->listen_address);
	}
	*out = a;
	return 0;
}

/* Paths and queries are decoded by us, segment by segment (route.h). */
static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

static void log_library(void *arg, const char *format, va_list args)
{
	char line[256];

	(void)arg;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("http_library", "message=\"%s\"", line);
}

static struct MHD_Daemon *listen_at(struct api *a, struct address *address)
{
	const struct api_options *o = &a->options;
	unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_library, NULL },
		{ MHD_OPTION_SOCK_ADDR, 0, &address->at },
		{ MHD_OPTION_CONNECTION_LIMIT, (intptr_t)o->connection_limit, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)o->idle_timeout_s, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL },
		{ MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)intake_completed, a },
		{ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL },
		{ o->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)o->threads, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (address->is_v6)
		flags |= MHD_USE_IPv6;
	return MHD_start_daemon(flags, o->port, NULL, NULL, intake_access, a, MHD_OPTION_ARRAY, options,
				MHD_OPTION_END);
}

static int start_listening(struct api *a, struct exp_error *err)
{
	struct address address;
	const union MHD_DaemonInfo *info;
	int rc = parse_address(&a->options, &address, err);

	if (rc)
		return rc;
	errno = 0;
	a->daemon = listen_at(a, &address);
	if (!a->daemon)
		return error_set(err, errno == EADDRINUSE ? EXP_EBUSY : EXP_EIO, "cannot listen on %s port %u: %s",
				 a->options.listen_address, a->options.port, strerror(errno));
	info = MHD_get_daemon_info(a->daemon, MHD_DAEMON_INFO_BIND_PORT);
	a->port = info ? info->port : a->options.port;
	return 0;
}

static int get_secret(struct txn *txn, void *arg, struct exp_error *err)
{
	struct api *a = arg;

	return secrets_get_or_create(txn, "api_idempotency", a->idempotency_secret, sizeof(a->idempotency_secret), err);
}

static void api_free(struct api *a)
{
	options_fini(&a->options);
	mem_free_secret(a, sizeof(*a));
}

static int start_pools(struct api *a, struct exp_error *err)
{
	int rc = suspended_start(&a->suspended, a->options.connection_limit / 2, err);

	if (rc)
		return rc;
	rc = offload_start(&a->offload, err);
	if (!rc)
		rc = start_listening(a, err);
	if (!rc)
		return 0;
	offload_stop(&a->offload);
	suspended_stop(&a->suspended);
	offload_fini(&a->offload);
	suspended_fini(&a->suspended);
	return rc;
}

int api_start(const struct api_options *options, struct api **out, struct exp_error *err)
{
	struct api *a;
	int rc;

	if (!options->store || !options->data_folder || !options->lookup_key || !options->models)
		return error_set(err, EXP_EINVAL,
				 "the server needs a data folder, a store, its lookup key and the live models");
	a = mem_alloc(sizeof(*a));
	resolve(&a->options, options);
	memcpy(a->lookup_key, options->lookup_key, sizeof(a->lookup_key));
	rc = writer_call(a->options.store, get_secret, a, err);
	if (!rc)
		rc = upload_prepare_folder(a, err);
	if (!rc)
		rc = start_pools(a, err);
	if (rc) {
		api_free(a);
		return rc;
	}
	log_info("http_listening", "address=%s port=%u threads=%u", a->options.listen_address, a->port,
		 a->options.threads);
	*out = a;
	return 0;
}

uint16_t api_port(const struct api *a)
{
	return a->port;
}

void api_notify(struct api *a)
{
	suspended_notify(&a->suspended);
}

void api_wake(struct api *a)
{
	if (a->options.wake)
		a->options.wake(a->options.wake_arg);
}

bool api_is_ready(struct api *a)
{
	return !a->is_stopping && (!a->options.is_ready || a->options.is_ready(a->options.ready_arg));
}

/* Answers that are under way get a moment to be sent; a client that does not read holds nobody up for longer. */
static void let_answers_out(struct api *a)
{
	struct timespec pause = { .tv_nsec = STOP_POLL_MS * 1000 * 1000 };
	int64_t end = clock_monotonic_ms() + API_STOP_TIMEOUT_MS;

	while (atomic_load(&a->calls) && clock_monotonic_ms() < end)
		nanosleep(&pause, NULL);
}

void api_stop(struct api *a)
{
	int listening;

	if (!a)
		return;
	a->is_stopping = true;
	listening = MHD_quiesce_daemon(a->daemon);
	offload_stop(&a->offload);
	suspended_stop(&a->suspended);
	let_answers_out(a);
	MHD_stop_daemon(a->daemon);
	if (listening >= 0)
		close(listening);
	offload_fini(&a->offload);
	suspended_fini(&a->suspended);
	log_info("http_stopped", "port=%u", a->port);
	api_free(a);
}
