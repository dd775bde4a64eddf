/*
 * routes.h - the handlers of the route table, a file per noun.
 */
#ifndef WACRM_HTTP_ROUTES_H
#define WACRM_HTTP_ROUTES_H

#include "http/request.h"

/* auth.c */
void route_login(request_t *r);
void route_refresh(request_t *r);
void route_logout(request_t *r);
void route_password(request_t *r);
void route_me(request_t *r);

/* contacts.c, contact_ask.c, contact_log.c */
void route_contacts(request_t *r);
void route_contact(request_t *r);
void route_contact_patch(request_t *r);
void route_contact_check(request_t *r);
void route_contact_picture(request_t *r);
void route_contact_note(request_t *r);
void route_contact_reminder(request_t *r);
void route_contact_donation(request_t *r);

/* merges.c */
void route_contact_merge(request_t *r);
void route_merges(request_t *r);
void route_merge_undo(request_t *r);

/* reminders.c */
void route_reminders(request_t *r);
void route_reminder_patch(request_t *r);

/* reports.c */
void route_report_lybunt(request_t *r);
void route_report_retention(request_t *r);
void route_report_rfm(request_t *r);
void route_report_sybunt(request_t *r);

/* transfer.c */
void route_import(request_t *r);
void route_export_donors(request_t *r);
void route_export_donations(request_t *r);

/* sessions.c */
void route_sessions(request_t *r);
void route_session_create(request_t *r);
void route_connect(request_t *r);

/* session_ask.c */
void route_session_qr(request_t *r);
void route_session_status(request_t *r);
void route_session_delete(request_t *r);
void route_session_reconnect(request_t *r);

/* backfill.c */
void route_backfill(request_t *r);
void route_backfill_start(request_t *r);

/* session_members.c */
void route_session_members(request_t *r);
void route_session_set_members(request_t *r);
void route_session_change(request_t *r);
void route_switch_session(request_t *r);

/* agents.c */
void route_agents(request_t *r);
void route_agent_add(request_t *r);
void route_agent_change(request_t *r);
void route_agent_logout(request_t *r);

/* dashboard.c */
void route_dashboard(request_t *r);

/* inbox.c */
void route_inbox(request_t *r);

/* events.c */
void route_events(request_t *r);

/* chat.c */
void route_chat(request_t *r);
void route_chat_read(request_t *r);
void route_chat_star(request_t *r);

/* messages.c */
void route_send(request_t *r);
void route_retry(request_t *r);

/* scheduled.c */
void route_scheduled(request_t *r);
void route_message_move(request_t *r);
void route_message_cancel(request_t *r);
void route_media_retry(request_t *r);

/* templates.c, template_send.c */
void route_templates(request_t *r);
void route_template_add(request_t *r);
void route_template(request_t *r);
void route_template_change(request_t *r);
void route_template_delete(request_t *r);
void route_send_template(request_t *r);
void route_quick_reply(request_t *r);

/* consent.c, contact_file.c, audit.c */
void route_consent(request_t *r);
void route_consent_set(request_t *r);
void route_contact_export(request_t *r);
void route_contact_erase(request_t *r);
void route_audit(request_t *r);

/* search.c */
void route_search(request_t *r);

/* media.c */
void route_media_upload(request_t *r);
void route_media(request_t *r);

/* socket.c, broadcasting.c */
void route_socket(request_t *r);
void route_broadcasting_auth(request_t *r);

/* apps.c */
void route_app_events(request_t *r);
void route_app_batch(request_t *r);
void route_app_channels(request_t *r);
void route_app_channel(request_t *r);
void route_app_users(request_t *r);
void route_app_terminate(request_t *r);

/* health.c, metrics.c */
void route_health(request_t *r);
void route_metrics(request_t *r);

#endif
