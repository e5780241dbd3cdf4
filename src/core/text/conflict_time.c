
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Parses and prints dates without the C library, whose functions depend on the
 * locale and the time zone.
 */


#include <stdio.h>
#include <string.h>

#include "core/text/conflict_time.h"


typedef struct {
    const char              *p;
    const char              *last;
    int                      failed;
} conflict_time_in_t;


typedef struct {
    int                      year;
    int                      month;     /* 1 to 12 */
    int                      day;
    int                      hour;
    int                      minute;
    int                      second;    /* 60: a leap second */
} conflict_time_tm_t;


static const char  conflict_time_days[7][10] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
    "Saturday"
};

static const char  conflict_time_months[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};


static int conflict_time_digits(conflict_time_in_t *in, int n);
static void conflict_time_literal(conflict_time_in_t *in, const char *text);
static int conflict_time_month(conflict_time_in_t *in);
static void conflict_time_clock(conflict_time_in_t *in,
    conflict_time_tm_t *tm);
static int64_t conflict_time_seconds(const conflict_time_tm_t *tm);
static int64_t conflict_time_day_number(int year, int month, int day);
static void conflict_time_split(conflict_time_tm_t *tm, int64_t seconds);


int64_t
conflict_time_http(const char *text, size_t len, int64_t now)
{
    int                 i, full;
    size_t              n;
    int64_t             t;
    const char         *separator;
    conflict_time_tm_t  tm, today;
    conflict_time_in_t  in;

    in.p = text;
    in.last = text + len;
    in.failed = 0;

    n = 0;
    full = 0;

    for (i = 0; i < 7; i++) {
        n = strlen(conflict_time_days[i]);

        if (len > n && memcmp(text, conflict_time_days[i], n) == 0) {
            full = 1;
            break;
        }

        if (len > 3 && memcmp(text, conflict_time_days[i], 3) == 0) {
            n = 3;
            break;
        }
    }

    if (i == 7) {
        return CONFLICT_TIME_NONE;
    }

    in.p += n;

    if (full || (in.p < in.last && *in.p == ',')) {
        /* IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT */
        /* rfc850-date: Sunday, 06-Nov-94 08:49:37 GMT */

        separator = full ? "-" : " ";

        conflict_time_literal(&in, ", ");
        tm.day = conflict_time_digits(&in, 2);
        conflict_time_literal(&in, separator);
        tm.month = conflict_time_month(&in);
        conflict_time_literal(&in, separator);
        tm.year = conflict_time_digits(&in, full ? 2 : 4);
        conflict_time_literal(&in, " ");
        conflict_time_clock(&in, &tm);
        conflict_time_literal(&in, " GMT");

        if (full) {
            /* over 50 years ahead: the previous century (RFC 9110, 5.6.7) */

            conflict_time_split(&today, now / CONFLICT_TIME_SECOND);
            tm.year += today.year - today.year % 100;

            if (tm.year > today.year + 50) {
                tm.year -= 100;
            }
        }

    } else {
        /* asctime-date: Sun Nov  6 08:49:37 1994 */

        conflict_time_literal(&in, " ");
        tm.month = conflict_time_month(&in);
        conflict_time_literal(&in, " ");

        if (in.p < in.last && *in.p == ' ') {
            in.p++;
            tm.day = conflict_time_digits(&in, 1);

        } else {
            tm.day = conflict_time_digits(&in, 2);
        }

        conflict_time_literal(&in, " ");
        conflict_time_clock(&in, &tm);
        conflict_time_literal(&in, " ");
        tm.year = conflict_time_digits(&in, 4);
    }

    t = conflict_time_seconds(&tm);

    if (in.failed || in.p != in.last || t == CONFLICT_TIME_NONE) {
        return CONFLICT_TIME_NONE;
    }

    return t * CONFLICT_TIME_SECOND;
}


int64_t
conflict_time_rfc3339(const char *text, size_t len, int *exact)
{
    int                 sign, hours, minutes;
    int64_t             t, fraction, unit;
    conflict_time_tm_t  tm;
    conflict_time_in_t  in;

    in.p = text;
    in.last = text + len;
    in.failed = 0;

    tm.year = conflict_time_digits(&in, 4);
    conflict_time_literal(&in, "-");
    tm.month = conflict_time_digits(&in, 2);
    conflict_time_literal(&in, "-");
    tm.day = conflict_time_digits(&in, 2);

    if (in.p == in.last || (*in.p != 'T' && *in.p != 't' && *in.p != ' ')) {
        return CONFLICT_TIME_NONE;
    }

    in.p++;
    conflict_time_clock(&in, &tm);

    fraction = 0;
    *exact = 0;

    if (!in.failed && in.p < in.last && *in.p == '.') {
        in.p++;
        unit = CONFLICT_TIME_SECOND / 10;

        while (in.p < in.last && *in.p >= '0' && *in.p <= '9') {
            fraction += (*in.p++ - '0') * unit;
            unit /= 10;
            *exact = 1;
        }

        if (!*exact) {
            return CONFLICT_TIME_NONE;
        }
    }

    t = conflict_time_seconds(&tm);

    if (in.failed || in.p == in.last || t == CONFLICT_TIME_NONE) {
        return CONFLICT_TIME_NONE;
    }

    if (*in.p == '+' || *in.p == '-') {
        sign = (*in.p++ == '+') ? 1 : -1;
        hours = conflict_time_digits(&in, 2);
        conflict_time_literal(&in, ":");
        minutes = conflict_time_digits(&in, 2);

        if (hours > 23 || minutes > 59) {
            return CONFLICT_TIME_NONE;
        }

        t -= sign * (hours * 3600 + minutes * 60);

    } else if (*in.p == 'Z' || *in.p == 'z') {
        in.p++;

    } else {
        return CONFLICT_TIME_NONE;
    }

    if (in.failed || in.p != in.last) {
        return CONFLICT_TIME_NONE;
    }

    return t * CONFLICT_TIME_SECOND + fraction;
}


void
conflict_time_print_rfc3339(char *dst, int64_t time)
{
    char                text[64];
    int64_t             seconds;
    conflict_time_tm_t  tm;

    seconds = time / CONFLICT_TIME_SECOND;

    if (time % CONFLICT_TIME_SECOND < 0) {
        seconds--;
    }

    conflict_time_split(&tm, seconds);

    (void) snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                    tm.year, tm.month, tm.day, tm.hour, tm.minute, tm.second,
                    (int) (time - seconds * CONFLICT_TIME_SECOND));

    memcpy(dst, text, CONFLICT_TIME_RFC3339);
}


static int
conflict_time_digits(conflict_time_in_t *in, int n)
{
    int  value;

    value = 0;

    while (n--) {

        if (in->p == in->last || *in->p < '0' || *in->p > '9') {
            in->failed = 1;
            return 0;
        }

        value = value * 10 + (*in->p++ - '0');
    }

    return value;
}


static void
conflict_time_literal(conflict_time_in_t *in, const char *text)
{
    size_t  n;

    n = strlen(text);

    if ((size_t) (in->last - in->p) < n || memcmp(in->p, text, n) != 0) {
        in->failed = 1;
        return;
    }

    in->p += n;
}


static int
conflict_time_month(conflict_time_in_t *in)
{
    int  i;

    for (i = 0; i < 12; i++) {

        if (in->last - in->p >= 3
            && memcmp(in->p, conflict_time_months[i], 3) == 0)
        {
            in->p += 3;
            return i + 1;
        }
    }

    in->failed = 1;

    return 1;
}


static void
conflict_time_clock(conflict_time_in_t *in, conflict_time_tm_t *tm)
{
    tm->hour = conflict_time_digits(in, 2);
    conflict_time_literal(in, ":");
    tm->minute = conflict_time_digits(in, 2);
    conflict_time_literal(in, ":");
    tm->second = conflict_time_digits(in, 2);
}


static int64_t
conflict_time_seconds(const conflict_time_tm_t *tm)
{
    int  days, leap;

    static const int  length[12] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (tm->month < 1 || tm->month > 12 || tm->day < 1
        || tm->hour > 23 || tm->minute > 59 || tm->second > 60)
    {
        return CONFLICT_TIME_NONE;
    }

    leap = (tm->year % 4 == 0 && tm->year % 100 != 0) || tm->year % 400 == 0;
    days = length[tm->month - 1] + (tm->month == 2 && leap);

    if (tm->day > days) {
        return CONFLICT_TIME_NONE;
    }

    return conflict_time_day_number(tm->year, tm->month, tm->day) * 86400
           + tm->hour * 3600 + tm->minute * 60 + tm->second;
}


/*
 * Days since 1970-01-01.  The year begins in March here, so that a leap day is
 * its last day.
 */

static int64_t
conflict_time_day_number(int year, int month, int day)
{
    int64_t  y, m;

    y = (month > 2) ? year : year - 1;
    m = (month > 2) ? month - 3 : month + 9;

    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1
           - 719468;
}


static void
conflict_time_split(conflict_time_tm_t *tm, int64_t seconds)
{
    int64_t  days, rest, y, m;

    if (seconds < -62135596800 || seconds > 253402300799) {
        /* only years 1 to 9999 can be represented in the formats */
        seconds = 0;
    }

    days = seconds / 86400;
    rest = seconds % 86400;

    if (rest < 0) {
        rest += 86400;
        days--;
    }

    tm->hour = (int) (rest / 3600);
    tm->minute = (int) (rest / 60 % 60);
    tm->second = (int) (rest % 60);

    /* 0001-01-01, 719162 days before 1970-01-01, was a Monday */

    days += 719468;
    y = days * 400 / 146097 + 1;

    while (y * 365 + y / 4 - y / 100 + y / 400 > days) {
        y--;
    }

    days -= y * 365 + y / 4 - y / 100 + y / 400;
    m = (5 * days + 2) / 153;

    tm->day = (int) (days - (153 * m + 2) / 5 + 1);
    tm->month = (int) ((m < 10) ? m + 3 : m - 9);
    tm->year = (int) ((m < 10) ? y : y + 1);
}
