/*
 * The server says in English, in Laravel's words, what is wrong with a field.
 * People read it in their language; what is not known here, stays as it is.
 */
const RULES = [
    [/ field is required\.$| must not be empty\.$/, 'required'],
    [/ must be a phone number\.$/, 'phone'],
    [/ must not be greater than (\d+) characters\.$/, 'longest', ['n']],
    [/ must not be greater than (\d+) bytes\.$/, 'longest', ['n']],
    [/ must be at least (\d+) characters\.$/, 'shortest', ['n']],
    [/ must be within (\d+) days\.$/, 'within', ['n']],
    [/ must be between (-?\d+) and (\d+)\.$/, 'between', ['from', 'to']],
    [/ must be an integer\.$| must be an id\.$/, 'integer'],
    [/ must be a valid email address\.$/, 'email'],
    [/ must be a valid date\.$/, 'date'],
    [/ must be a date after now\.$/, 'future'],
    [/ must not be a date after today\.$/, 'past'],
    [/ must not be a date before (\d+)\.$/, 'since', ['year']],
    [/ has already been taken\.$/, 'taken'],
    [/^The selected .* is invalid\.$| must be different\.$| must be the phone of the contact\.$/, 'choice'],
    [/ must be an image\.$| must be a file\.$|^Sending from a URL |^Files are not taken |^The form cannot be read: |^a part /, 'file'],
    [/^Missing variables: (.*)\.$/, 'missing', ['names']],
    [/ must not contain \{\{ or \}\}\.$/, 'braces'],
    [/^The gateway (?:gives no answer|refused|told no status|did not answer, and has not made it)\.$/, 'gateway'],
    [/^(?:The session's|No) gateway is /, 'noGateway'],
    [/^public_url is not set /, 'publicUrl'],
];

/**
 * @param {string} text of the server, or of the page: then it stays
 * @param {(key: string, named?: object) => string} t
 */
export function sayInvalid(text, t) {
    for (const [form, key, names = []] of RULES) {
        const match = form.exec(text);
        if (match) {
            return t(`common.invalid.${key}`, Object.fromEntries(
                names.map((name, i) => [name, match[i + 1]])));
        }
    }
    return text;
}
