#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "tests/unit/api/world.h"

static struct world w;

static struct answer submit(int role, const char *body, const char *header)
{
	return ask(&w, &(struct question){
			   .role = role, .path = "/v1/deletion-requests", .body = body, .headers = { header } });
}

Test(requests, smoke)
{
	char *body;
	struct answer a;

	world_start(&w, NULL);
	a = get(&w, NOBODY, "/livez");
	cr_assert_eq(a.status, 200);
	answer_fini(&a);
	world_add_dataset(&w);
	world_add_model(&w, NULL);
	body = world_claim(false, 0);
	a = submit(ROLE_SUBMITTER, body, NULL);
	cr_assert_eq(a.status, 202, "%s", a.body.data);
	cr_log_warn("%s", a.body.data);
	answer_fini(&a);
	mem_free(body);
	world_stop(&w);
}
