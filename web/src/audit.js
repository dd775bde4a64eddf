/* What wacrm notes of an action, in its own words (audit.words) and figures. */
const IMPORTED = /^(\d+) gifts, (\d+) new contacts$/;

/**
 * @param {string|null} detail of an entry
 * @param {{t: Function, te: Function}} i18n with the texts of audit.json
 * @returns {string} as it is, where it is no word of wacrm's: a name, say
 */
export function detailOf(detail, { t, te }) {
    const imported = IMPORTED.exec(detail ?? '');
    if (imported) {
        return t('audit.imported',
            { gifts: imported[1], contacts: imported[2] });
    }
    const words = (detail ?? '').split(' ').filter(Boolean)
        .map((word) => `audit.words.${word}`);
    return words.every((key) => te(key)) ? words.map((key) => t(key)).join(', ')
        : detail;
}
