import { useI18n } from 'vue-i18n';
import { useConfirm } from './stores/confirm.js';
import { useDrafts } from './stores/drafts.js';
import { useSending } from './stores/sending.js';

/**
 * Whoever signs out leaves nothing behind for the next one at this computer.
 *
 * @returns {() => Promise<boolean>} asks where that loses something; false: the
 *          person stays
 */
export function useLeave() {
    const { t } = useI18n();
    const drafts = useDrafts();
    const sending = useSending();
    return async () => {
        const n = sending.entries.length;
        const m = drafts.count();
        if (n + m > 0 && !await useConfirm().ask({ danger: true,
            title: t('common.leave.title'), ok: t('common.leave.ok'),
            text: t('common.leave.text', { n, m }) })) {
            return false;
        }
        [...sending.entries].reverse().forEach(({ key }) => sending.remove(key));
        return true;
    };
}
