
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Common includes of the unit tests.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


#endif /* _UNIT_H_INCLUDED_ */
