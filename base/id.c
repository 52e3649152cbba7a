#include "base/id.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

enum { NAME_MAX_LENGTH = 63 };

char *id_new(char text[ID_TEXT])
{
	uint64_t ms = (uint64_t)clock_now_ms();
	uint8_t b[16];

	crypto_random(b, sizeof(b));
	for (int i = 0; i < 6; i++)
		b[i] = (uint8_t)(ms >> (8 * (5 - i)));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x70);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(text, ID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return text;
}

bool id_is_valid(const char *text)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');

		if (dash ? text[i] != '-' : !digit)
			return false;
	}
	return text[36] == '\0';
}

bool id_is_name(const char *text)
{
	static const char edge[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t n = strspn(text, edge);

	if (!n)
		return false;
	while (text[n] && (strchr("._-", text[n]) || strchr(edge, text[n])))
		n++;
	return n <= NAME_MAX_LENGTH && text[n] == '\0';
}
