/*
 * version.h - of wacrmd and wacrmctl.
 */
#ifndef WACRM_BASE_VERSION_H
#define WACRM_BASE_VERSION_H

#ifndef WACRM_VERSION
#define WACRM_VERSION "0.1"
#endif

#endif
