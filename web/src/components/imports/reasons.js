/* Why the server leaves out a row, or the whole file: import.why.* */
const REASONS = {
    'phone is not a number': 'phone',
    'amount is not a sum in rupiah': 'amount',
    'date is not like 2026-03-01 or 01/03/2026': 'date',
    'date is in the future': 'future',
    'date is before 1970': 'old',
    'a field is longer than 500 bytes': 'long',
    'a field is not UTF-8: save the file as CSV UTF-8': 'utf8',
    'the first line names a column twice': 'twice',
    'the first line has no column phone': 'noPhone',
    'the file is not CSV from here on': 'broken',
    'the quotes of a field do not end': 'quotes',
    'the file ends inside quotes': 'quotes',
    'it is no CSV': 'broken',
};

/** @param {(key: string) => string} t */
export const reasonOf = (reason, t) =>
    REASONS[reason] ? t(`import.why.${REASONS[reason]}`) : reason;
