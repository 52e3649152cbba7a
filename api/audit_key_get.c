#include "api/api_internal.h"
#include "audit/audit.h"
#include "base/mem.h"

/* A convenience: an auditor takes the key from elsewhere, or a log that was swapped would bring its own. */
int api_audit_key_get(struct call *c, struct exp_error *err)
{
	char *vkey = audit_vkey(c->api->options.audit);

	(void)err;
	reply_json(c, 200, json_pack("{s:s}", "vkey", vkey));
	mem_free(vkey);
	return 0;
}
