/*
 * http_group.h - the one server of a group of tests, with an agent (1) and one
 * who is gone (2): setup() and teardown().
 */
#ifndef WACRM_T_HTTP_GROUP_H
#define WACRM_T_HTTP_GROUP_H

#include "http_fixture.h"

static web_t web;

static inline int setup(void **state)
{
    (void)state;
    web_open(&web);
    crm_user(&web.crm, 1, "siti", ROLE_CS, true);
    crm_user(&web.crm, 2, "gone", ROLE_CS, false);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    web_close(&web);
    return 0;
}

#endif
