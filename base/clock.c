#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static int64_t (*source)(void);

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	return source ? source() : read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_set_source(int64_t (*now_ms)(void))
{
	source = now_ms;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

char *clock_format(int64_t ms, char *buf)
{
	time_t seconds = (time_t)floor_div(ms, 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(buf, CLOCK_RFC3339, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (tm.tm_year + 1900) % 10000, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - floor_div(ms, 1000) * 1000));
	return buf;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Fraction digits after the seconds, kept to milliseconds; moves *text past them. */
static int parse_fraction(const char **text)
{
	int ms = 0, scale = 100;

	if (**text != '.')
		return 0;
	for ((*text)++; **text >= '0' && **text <= '9'; (*text)++, scale /= 10)
		ms += (**text - '0') * scale;
	return ms;
}

static int parse_offset(const char *text, int *minutes)
{
	int hour, minute, used = 0;

	if ((text[0] == 'Z' || text[0] == 'z') && !text[1]) {
		*minutes = 0;
		return 0;
	}
	if ((text[0] != '+' && text[0] != '-') || sscanf(text + 1, "%2d:%2d%n", &hour, &minute, &used) != 2)
		return EXP_EPARSE;
	if (used != 5 || text[6] || hour > 23 || minute > 59 || hour < 0 || minute < 0)
		return EXP_EPARSE;
	*minutes = (text[0] == '-' ? -1 : 1) * (hour * 60 + minute);
	return 0;
}

int clock_parse(const char *text, int64_t *ms)
{
	struct tm tm = { 0 };
	int used = 0, offset, fraction;

	if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		   &tm.tm_min, &tm.tm_sec, &used) != 6 ||
	    used != 19)
		return EXP_EPARSE;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > days_in_month(tm.tm_year, tm.tm_mon) ||
	    tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return EXP_EPARSE;
	text += used;
	fraction = parse_fraction(&text);
	if (parse_offset(text, &offset))
		return EXP_EPARSE;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ms = ((int64_t)timegm(&tm) - offset * 60) * 1000 + fraction;
	return 0;
}

int64_t clock_add_months(int64_t ms, int months)
{
	int64_t seconds = floor_div(ms, 1000);
	time_t t = (time_t)seconds;
	struct tm tm;
	int month, last;

	gmtime_r(&t, &tm);
	month = tm.tm_mon + months;
	tm.tm_year += month / 12;
	tm.tm_mon = month % 12;
	last = days_in_month(tm.tm_year + 1900, tm.tm_mon + 1);
	if (tm.tm_mday > last)
		tm.tm_mday = last;
	return (int64_t)timegm(&tm) * 1000 + (ms - seconds * 1000);
}
