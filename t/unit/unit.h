
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What all unit tests include.
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
