#include "daemon/loop.h"

#include <signal.h>
#include <uv.h>

#include "base/log.h"

enum { SIGNALS = 2 };

static const int numbers[SIGNALS] = { SIGTERM, SIGINT };

static void on_signal(uv_signal_t *handle, int number)
{
	log_info("stopping", "signal=%d", number);
	uv_stop(handle->loop);
}

static void close_all(uv_loop_t *loop, uv_signal_t *handles)
{
	for (int i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&handles[i], NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	uv_loop_close(loop);
}

int loop_run_until_signal(struct exp_error *err)
{
	uv_signal_t handles[SIGNALS];
	uv_loop_t loop;

	if (uv_loop_init(&loop))
		return error_set(err, EXP_EMEMORY, "cannot make the event loop");
	for (int i = 0; i < SIGNALS; i++) {
		uv_signal_init(&loop, &handles[i]);
		uv_signal_start(&handles[i], on_signal, numbers[i]);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	close_all(&loop, handles);
	for (int i = 0; i < SIGNALS; i++)
		signal(numbers[i], SIG_DFL);
	return 0;
}

void loop_ignore_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}
