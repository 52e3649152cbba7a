#include "cli/audit_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/identity.h"
#include "base/json.h"
#include "base/mem.h"
#include "proof/receipt.h"
#include "proof/verifier.h"

enum { ARGUMENT_FILE_MAX = 4096 };

#define AT(member) offsetof(struct audit_check, member)
const struct option_row audit_check_options[AUDIT_CHECK_OPTIONS] = {
	{ .name = "EVIDENCE",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = AT(path),
	  .help = "a receipt (.tlog-proof), or the folder of a published log" },
	{ .name = "key",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = AT(key),
	  .value = "VKEY|@FILE",
	  .help = "the log's verifier key (name+id+key), or a file that holds it" },
	{ .name = "identity",
	  .kind = OPTION_TEXT,
	  .offset = AT(identity),
	  .value = "TYPE:VALUE|@FILE",
	  .help = "check that the receipt is about this person, for example email:ada@example.com" },
	{ .name = "checkpoint",
	  .kind = OPTION_TEXT,
	  .offset = AT(checkpoint),
	  .value = "FILE",
	  .help = "a checkpoint of this log that you kept earlier: check that the log continues it" },
};

const char audit_check_text[] =
    "Checks evidence offline, from files alone. A receipt is checked step by step: the signature of the log's\n"
    "checkpoint, the leaf and its schema, its place in the log, the request, the request's key and, with\n"
    "--identity, that the leaf is about that person. A log folder is checked as a whole: every entry, every hash\n"
    "tile, every leaf and what it may say after those before it, and, with --checkpoint, that nothing that you\n"
    "saw earlier was changed. The first thing that is wrong is named.\n"
    "The key must come from a source that you trust, never from whoever gave you the evidence. A file keeps an\n"
    "identity out of the list of processes. Exit status: 0 verified, 1 refused.";

/* An argument, or with @ in front the content of a file, without the white space at its end. The caller zeroes and
 * frees. */
static int load_argument(const char *argument, struct buf *out, struct exp_error *err)
{
	int rc = 0;

	if (argument[0] == '@')
		rc = file_read(argument + 1, ARGUMENT_FILE_MAX, out, err);
	else
		buf_add_text(out, argument);
	while (out->size && isspace((unsigned char)out->data[out->size - 1]))
		out->data[--out->size] = '\0';
	if (!rc && strlen(out->data ? out->data : "") != out->size)
		rc = error_set(err, EXP_EPARSE, "%s is not text", argument + 1);
	return rc;
}

static int load_key(const struct audit_check *c, struct note_key *key, struct exp_error *err)
{
	struct buf text = { 0 };
	int rc = load_argument(c->key, &text, err);

	if (!rc)
		rc = note_key_parse(key, text.data ? text.data : "", err);
	/* A damaged key is an unusable argument, not refused evidence. */
	if (rc == EXP_EVERIFY)
		rc = error_set(err, EXP_EPARSE,
			       "the verifier key's id does not belong to its name and key; copy it again");
	buf_fini(&text);
	return rc;
}

static int load_identity(const struct audit_check *c, struct identity *who, struct exp_error *err)
{
	struct buf text = { 0 };
	int rc = load_argument(c->identity, &text, err);

	if (!rc)
		rc = identity_parse(who, text.data ? text.data : "", err);
	buf_fini_secret(&text);
	return rc;
}

/* Whatever is wrong with evidence that could be read makes it refused. */
static int as_refusal(int rc, struct exp_error *err)
{
	if (!rc || rc == EXP_EIO || rc == EXP_EMEMORY)
		return rc;
	if (err)
		err->code = EXP_EVERIFY;
	return EXP_EVERIFY;
}

static void print_json(json_t *value)
{
	struct buf text = { 0 };

	json_write(value, true, &text);
	puts(text.data);
	buf_fini(&text);
	json_decref(value);
}

static json_t *checkpoint_to_json(const struct checkpoint *c)
{
	char hex[DIGEST_HEX];

	return json_pack("{s:s, s:I, s:s}", "origin", c->origin, "size", (json_int_t)c->head.size, "root",
			 hex_encode(c->head.root, DIGEST_SIZE, hex));
}

static const char *const result_names[] = {
	[RECEIPT_NOT_REACHED] = "not_reached",
	[RECEIPT_GOOD] = "good",
	[RECEIPT_BAD] = "bad",
	[RECEIPT_SKIPPED] = "not_asked",
};

static void print_receipt_json(const struct receipt *r, const struct receipt_report *report,
			       const struct exp_error *cause)
{
	json_t *steps = json_object(), *out;

	for (int i = 0; i < RECEIPT_STEP_COUNT; i++)
		json_object_set_new(steps, receipt_step_name((enum receipt_step)i),
				    json_string(result_names[report->steps[i]]));
	out = json_pack("{s:b, s:s, s:s, s:o}", "verified", !cause->code, "evidence", "receipt", "request", r->request,
			"steps", steps);
	if (report->steps[RECEIPT_SIGNATURE] == RECEIPT_GOOD)
		json_object_set_new(out, "checkpoint", checkpoint_to_json(&report->checkpoint));
	if (report->steps[RECEIPT_SIGNATURE] == RECEIPT_GOOD)
		json_object_set_new(out, "index", json_integer((json_int_t)r->index));
	if (cause->code)
		json_object_set_new(out, "wrong", json_string(cause->message));
	print_json(out);
}

static void print_receipt_text(const struct receipt *r, const struct receipt_report *report)
{
	for (int i = 0; i < RECEIPT_STEP_COUNT; i++) {
		enum receipt_step step = (enum receipt_step)i;

		if (report->steps[i] == RECEIPT_GOOD)
			printf("  good       %-10s %s\n", receipt_step_name(step), receipt_step_meaning(step));
		else if (report->steps[i] == RECEIPT_BAD)
			printf("  BAD        %s\n", receipt_step_name(step));
		else if (report->steps[i] == RECEIPT_SKIPPED)
			printf("  not asked  %-10s give --identity to check whom the leaf is about\n",
			       receipt_step_name(step));
	}
	if (report->steps[RECEIPT_INCLUSION] == RECEIPT_GOOD)
		printf("  request %s, entry %llu of %llu in the log %s\n", r->request, (unsigned long long)r->index,
		       (unsigned long long)report->checkpoint.head.size, report->checkpoint.origin);
}

static int check_parsed(const struct audit_check *c, const struct receipt *r, const struct note_key *key, bool json,
			struct exp_error *err)
{
	struct receipt_report report;
	struct exp_error cause = { 0 };
	struct identity who;
	int rc = c->identity ? load_identity(c, &who, err) : 0;

	if (rc)
		return rc;
	rc = as_refusal(receipt_verify(r, key, c->identity ? &who : NULL, &report, &cause), &cause);
	if (c->identity)
		identity_fini(&who);
	if (json)
		print_receipt_json(r, &report, &cause);
	else
		print_receipt_text(r, &report);
	if (!json)
		printf("%s\n", rc ? "REFUSED" : "VERIFIED");
	if (rc && err)
		*err = cause;
	return rc;
}

static int check_receipt(const struct audit_check *c, const struct note_key *key, bool json, struct exp_error *err)
{
	struct buf bytes = { 0 };
	struct receipt r = { 0 };
	int rc;

	if (c->checkpoint)
		return error_set(err, EXP_EINVAL, "--checkpoint goes with a log folder, not with a receipt");
	rc = file_read(c->path, RECEIPT_SIZE_MAX, &bytes, err);
	if (!rc)
		rc = receipt_parse(bytes.data ? bytes.data : "", bytes.size, &r, err);
	rc = as_refusal(rc, err);
	if (!rc)
		rc = check_parsed(c, &r, key, json, err);
	receipt_fini(&r);
	buf_fini_secret(&bytes);
	return rc;
}

static void print_log_json(const struct verifier_report *report, const struct exp_error *cause)
{
	const struct ledger_counts *n = &report->counts;
	json_t *out = json_pack("{s:b, s:s}", "verified", !cause->code, "evidence", "log");

	if (!cause->code) {
		json_object_set_new(out, "checkpoint", checkpoint_to_json(&report->checkpoint));
		json_object_set_new(out, "pinned", json_boolean(report->pinned));
		json_object_set_new(out, "counts",
				    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)n->requests,
					      "completed", (json_int_t)n->completed, "rejected",
					      (json_int_t)n->rejected, "cancelled", (json_int_t)n->cancelled, "models",
					      (json_int_t)n->models, "publications", (json_int_t)n->publications));
		print_json(out);
		return;
	}
	json_object_set_new(out, "wrong", json_string(cause->message));
	if (report->file[0])
		json_object_set_new(out, "file", json_string(report->file));
	if (report->entry >= 0)
		json_object_set_new(out, "entry", json_integer(report->entry));
	print_json(out);
}

static void print_log_text(const struct verifier_report *report, const struct exp_error *cause)
{
	const struct ledger_counts *n = &report->counts;

	if (cause->code) {
		if (report->file[0])
			printf("  BAD        %s\n", report->file);
		puts("REFUSED");
		return;
	}
	printf("  good       %llu entries of the log %s, signed as a whole\n",
	       (unsigned long long)report->checkpoint.head.size, report->checkpoint.origin);
	printf("  good       %llu requests (%llu completed, %llu rejected, %llu cancelled), %llu models, %llu "
	       "publications\n",
	       (unsigned long long)n->requests, (unsigned long long)n->completed, (unsigned long long)n->rejected,
	       (unsigned long long)n->cancelled, (unsigned long long)n->models, (unsigned long long)n->publications);
	if (report->pinned)
		puts("  good       it continues the checkpoint that you kept");
	else
		puts("  not asked  give --checkpoint to check that nothing was rewritten since you last looked");
	puts("VERIFIED");
}

static int check_log(const struct audit_check *c, const struct note_key *key, bool json, struct exp_error *err)
{
	struct verifier_report report;
	struct exp_error cause = { 0 };
	struct buf pinned = { 0 };
	int rc = 0;

	if (c->identity)
		return error_set(err, EXP_EINVAL,
				 "--identity goes with a receipt: a log alone does not tell whom it is about");
	if (c->checkpoint)
		rc = file_read(c->checkpoint, NOTE_SIZE_MAX, &pinned, err);
	if (rc)
		return rc;
	rc = as_refusal(verifier_check_folder(c->path, key,
					      &(struct verifier_pin){ c->checkpoint && !pinned.data ? "" : pinned.data,
								      pinned.size },
					      &report, &cause),
			&cause);
	buf_fini(&pinned);
	if (json)
		print_log_json(&report, &cause);
	else
		print_log_text(&report, &cause);
	if (rc && err)
		*err = cause;
	return rc;
}

int audit_check_run(const struct audit_check *c, bool json, struct exp_error *err)
{
	struct note_key key;
	struct stat st;
	int rc = load_key(c, &key, err);

	if (rc)
		return rc;
	if (stat(c->path, &st))
		return error_set_errno(err, "look at", c->path);
	return S_ISDIR(st.st_mode) ? check_log(c, &key, json, err) : check_receipt(c, &key, json, err);
}
