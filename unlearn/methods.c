#include "unlearn/method.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unlearn/retrain.h"
#include "unlearn/ssd.h"

static const struct method *const methods[] = {
	&ssd_method,
	&retrain_method,
};

static const char *const need_names[] = {
	"rows to forget", "retained rows",      "importances",     "original weights", "a training recipe",
	"a template",     "an assistant model", "input gradients", "graph surgery",
};

enum { METHODS = sizeof(methods) / sizeof(methods[0]), NEEDS = sizeof(need_names) / sizeof(need_names[0]) };

size_t method_count(void)
{
	return METHODS;
}

const struct method *method_at(size_t i)
{
	return methods[i];
}

const struct method *method_find(const char *name)
{
	for (size_t i = 0; i < METHODS; i++)
		if (strcmp(methods[i]->name, name) == 0)
			return methods[i];
	return NULL;
}

const char *method_class_name(enum method_class class)
{
	static const char *const names[] = { "exact", "approximate", "suppression" };

	return names[class];
}

const char *method_need_name(unsigned need)
{
	for (size_t i = 0; i < NEEDS; i++)
		if (need == 1u << i)
			return need_names[i];
	return "something unknown";
}

/* Templates, assistants, input gradients and surgery have no place in method_input yet: nothing meets them. */
unsigned method_missing(const struct method *m, const struct method_input *in)
{
	unsigned met = 0;

	met |= in->forget && in->forget->rows ? METHOD_NEEDS_FORGET : 0;
	met |= in->retain && in->retain->rows ? METHOD_NEEDS_RETAIN : 0;
	met |= in->importance ? METHOD_NEEDS_IMPORTANCE : 0;
	met |= in->original ? METHOD_NEEDS_ORIGINAL : 0;
	met |= in->recipe && in->initial ? METHOD_NEEDS_RECIPE : 0;
	return m->needs & ~met;
}

static const struct method_parameter *find_parameter(const struct method *m, const char *name, size_t *i)
{
	for (*i = 0; *i < m->parameter_count; ++*i)
		if (strcmp(m->parameters[*i].name, name) == 0)
			return &m->parameters[*i];
	return NULL;
}

static bool in_bounds(const struct method_parameter *p, double value)
{
	return value >= p->min && value <= p->max;
}

static int parse_one(const struct method *m, const char *pointer, const json_t *value, double *values, bool *given,
		     struct exp_error *err)
{
	size_t i;
	const struct method_parameter *p = find_parameter(m, strrchr(pointer, '/') + 1, &i);

	if (!p)
		return error_set_field(err, EXP_EFIELD, pointer, "%s has no parameter of this name", m->name);
	if (!json_is_number(value) || !in_bounds(p, json_number_value(value)))
		return error_set_field(err, EXP_EFIELD, pointer, "%s must be a number from %g to %g", pointer, p->min,
				       p->max);
	values[i] = json_number_value(value);
	given[i] = true;
	return 0;
}

int method_parse(const struct method *m, const json_t *object, const char *base, double values[METHOD_MAX_PARAMETERS],
		 struct exp_error *err)
{
	bool given[METHOD_MAX_PARAMETERS] = { false };
	double parsed[METHOD_MAX_PARAMETERS] = { 0 };
	char pointer[96];
	const char *name;
	json_t *value;
	int rc;

	if (object && !json_is_object(object))
		return error_set_field(err, EXP_EFIELD, base, "parameters must be an object of numbers");
	for (size_t i = 0; i < m->parameter_count; i++)
		parsed[i] = m->parameters[i].fallback;
	json_object_foreach((json_t *)object, name, value) {
		snprintf(pointer, sizeof(pointer), "%s/%s", base, name);
		rc = parse_one(m, pointer, value, parsed, given, err);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < m->parameter_count; i++) {
		snprintf(pointer, sizeof(pointer), "%s/%s", base, m->parameters[i].name);
		if (m->parameters[i].required && !given[i])
			return error_set_field(err, EXP_EFIELD, pointer, "%s needs the parameter %s: %s", m->name,
					       m->parameters[i].name, m->parameters[i].meaning);
	}
	memcpy(values, parsed, sizeof(parsed));
	return 0;
}

json_t *method_parameters_json(const struct method *m, const double *values)
{
	json_t *object = json_object();

	for (size_t i = 0; i < m->parameter_count; i++)
		json_object_set_new(object, m->parameters[i].name, json_real(values[i]));
	return object;
}

static int check_input(const struct method *m, const struct method_input *in, struct exp_error *err)
{
	unsigned missing = method_missing(m, in);

	if (missing)
		return error_set(err, EXP_EINVAL, "the method %s needs %s", m->name,
				 method_need_name(missing & -missing));
	for (size_t i = 0; i < m->parameter_count; i++)
		if (!in_bounds(&m->parameters[i], in->parameters[i]))
			return error_set(err, EXP_EINVAL, "the method %s needs %s from %g to %g", m->name,
					 m->parameters[i].name, m->parameters[i].min, m->parameters[i].max);
	return 0;
}

int method_run(const struct method *m, const struct method_input *in, struct params *p, struct method_report *report,
	       struct exp_error *err)
{
	struct method_report made = { .parameters = p->count };
	int rc = check_input(m, in, err);

	if (!rc)
		rc = m->run(in, p, &made, err);
	if (!rc)
		rc = params_check_finite(p, err);
	if (!rc)
		*report = made;
	return rc;
}
