import { sayInvalid } from './invalid.js';

/**
 * What the server, or the way to it, said. status 0: no answer came.
 */
export class ApiError extends Error {
    constructor({ status, message, code = null, data = null,
        errors = {}, retryAfter = null, cause }) {
        super(message, { cause });
        this.name = 'ApiError';
        this.status = status;
        this.code = code;
        this.data = data;
        this.errors = errors;
        this.retryAfter = retryAfter;
    }

    /** Was it lost on the way, or is the server away for a while? */
    get passing() {
        return this.status === 0 || this.status === 502
            || this.status === 503 || this.status === 504;
    }

    /** Is it not there, or not for this person? */
    get missing() {
        return this.status === 403 || this.status === 404;
    }

    /** The first error of one field of a form. */
    of(field) {
        return this.errors[field]?.[0] ?? '';
    }
}

/** Of an axios error. */
export function apiError(error) {
    if (error instanceof ApiError) {
        return error;
    }
    const answer = error.response;
    const body = answer?.data && typeof answer.data === 'object'
        ? answer.data : {};
    const wait = Number(answer?.headers?.['retry-after']);
    return new ApiError({
        status: answer?.status ?? 0,
        message: body.message ?? error.message,
        code: body.code ?? (error.code === 'ERR_CANCELED' ? 'cancelled' : null),
        data: body.data ?? null,
        errors: body.errors ?? {},
        retryAfter: wait > 0 ? wait : null,
        cause: error,
    });
}

/**
 * What to tell a person.
 *
 * @param {unknown} error
 * @param {(key: string, named?: object) => string} t of vue-i18n; the texts
 *        are errors.* of common.json
 */
export function describe(error, t) {
    const it = error instanceof ApiError ? error : null;
    if (!it) {
        return t('common.errors.unexpected');
    }
    if (it.code && ['opted_out', 'window_closed', 'duplicate_ref',
        'last_admin', 'not_retryable', 'not_cancellable', 'not_scheduled',
        'not_undoable', 'stale', 'too_old', 'file_gone',
        'import_stopped', 'idempotency_mismatch'].includes(it.code)) {
        return t(`common.errors.${it.code}`);
    }
    switch (it.status) {
    case 0: return t('common.errors.offline');
    case 401: case 403: return t('common.errors.forbidden');
    case 404: return t('common.errors.missing');
    case 413: return t('common.errors.tooLarge');
    case 415: return t('common.errors.badType');
    case 429: return t('common.errors.tooMany',
        { seconds: it.retryAfter ?? 60 });
    case 502: case 503: case 504: return t('common.errors.busy');
    }
    if (it.status >= 500) {
        return t('common.errors.unexpected');
    }
    const said = sayInvalid(it.message, t);
    return said === it.message
        ? t('common.errors.refused', { text: said }) : said;
}
