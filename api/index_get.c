#include "api/call.h"

static const char page[] = "<!doctype html>\n"
			   "<html lang=\"en\"><meta charset=\"utf-8\"><title>expunge</title>\n"
			   "<h1>expunge " EXPUNGE_VERSION "</h1>\n"
			   "<p>A service that makes trained models forget a person, and proves it.</p>\n"
			   "<ul>\n"
			   "<li><a href=\"/openapi.json\">/openapi.json</a>: the interface</li>\n"
			   "<li><a href=\"/readyz?verbose=1\">/readyz</a>: whether it is ready</li>\n"
			   "<li><a href=\"/metrics\">/metrics</a>: figures for Prometheus</li>\n"
			   "<li><a href=\"/v2\">/v2</a>: inference (Open Inference Protocol)</li>\n"
			   "</ul>\n"
			   "</html>\n";

int api_index_get(struct call *c, struct exp_error *err)
{
	(void)err;
	reply_header(c, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
	reply_bytes(c, 200, "text/html; charset=utf-8", page, sizeof(page) - 1);
	return 0;
}
