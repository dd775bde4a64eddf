import { createI18n } from 'vue-i18n';

/*
 * One file a page and language; its name is the first part of the keys:
 * t('inbox.empty') is `empty` of inbox.json. Loaded when needed, compiled
 * by the build.
 */
const files = import.meta.glob('./{id,en}/*.json');
const wanted = new Set();
const loaded = new Set();

export const LOCALES = { id: 'Bahasa Indonesia', en: 'English' };

export const i18n = createI18n({
    legacy: false,
    locale: 'id',
    missingWarn: import.meta.env.DEV,
    fallbackWarn: false,
    messages: { id: {}, en: {} },
});

async function load(locale, name) {
    const path = `./${locale}/${name}.json`;
    if (loaded.has(path)) {
        return;
    }
    const file = await files[path]();
    i18n.global.mergeLocaleMessage(locale, { [name]: file.default });
    loaded.add(path);
}

/** Loads the texts of these pages; to be awaited before they are shown. */
export async function need(...names) {
    names.forEach((name) => wanted.add(name));
    await Promise.all(names.map((name) =>
        load(i18n.global.locale.value, name)));
}

/** Switches the language of the whole desk. */
export async function setLocale(locale) {
    await Promise.all([...wanted].map((name) => load(locale, name)));
    i18n.global.locale.value = locale;
    document.documentElement.lang = locale;
}
