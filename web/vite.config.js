import { fileURLToPath } from 'node:url';
import vueI18n from '@intlify/unplugin-vue-i18n/vite';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// For `npm run dev` and `npm run preview` only: the nginx of scripts/run.
const desk = process.env.WACRM_URL ?? 'http://127.0.0.1:8080';
const proxy = {
    '/api': desk,
    '/broadcasting': desk,
    '/app-config.json': desk,
    '/app/': { target: desk, ws: true },
};

/* Other people's code lies in files of its own: vendor is what every page
   needs, the rest comes late. It stays in the browser's cache when ours
   changes, and t/web_size.t tells one from the other. */
const VENDOR = new RegExp('/node_modules/(?:@?vue(?:-router|-i18n)?|pinia'
    + '|@intlify|axios|lucide-vue-next)/');
const LATE = /\/node_modules\/(pusher-js|laravel-echo|uplot|uqr)\//;

/* Ours comes in few files, as gzip finds more to share in a big one, and as
   what is used together is asked for together. What is named nowhere here is
   needed until the inbox is usable. */
const OURS = [
    // With someone else's code behind them.
    ['socket', /\/realtime\/socket\.js/],
    ['chart', /\/charts\/Chart\.vue/],
    ['qr', /\/(?:SessionConnect|QrCode)\.vue/],
    ['dialogs', /\/inbox\/(?:\w+Dialog|EmojiPicker|Lightbox)\.vue|\/emoji\.js/],
    ['donor', /\/donor\/|\/(?:RupiahInput|Reminder\w+)\.vue|\/(?:rupiah|gifts)\.js/],
    ['manage', /\/(?:agents|imports|reports)\/|\/(?:Agents|Import|Audit|Reports)Page\.vue|\/(?:csv|rfm)\.js/],
    ['work', /\/(?:sessions|templates)\/|\/(?:Dashboard|Reminders|Sessions|Settings|Templates)Page\.vue|\/ScheduledList\.vue/],
    ['texts-id', /\/i18n\/id\/(?:common|inbox|login)\./],
    ['texts-en', /\/i18n\/en\/(?:common|inbox|login)\./],
    ['more-id', /\/i18n\/id\//],
    ['more-en', /\/i18n\/en\//],
];
const chunkOf = (id) => {
    if (id.startsWith('\0commonjs')) {
        return 'vendor';
    }
    const late = LATE.exec(id);
    if (late || VENDOR.test(id)) {
        return late ? `vendor-${late[1]}` : 'vendor';
    }
    const ours = id.startsWith(here('./src'))
        && OURS.find(([, files]) => files.test(id));
    return ours ? ours[0] : 'desk';
};

export default defineConfig({
    plugins: [
        // Constants where they are used: smaller, and a view is small.
        vue({ template: { compilerOptions: { hoistStatic: false } } }),
        vueI18n({
            include: here('./src/i18n/{id,en}/*.json'),
            runtimeOnly: true,
            compositionOnly: true,
            fullInstall: false,
            strictMessage: true,
        }),
    ],
    define: {
        __VUE_OPTIONS_API__: false,
    },
    resolve: { alias: { '@': here('./src') } },
    build: {
        target: 'es2022',
        minify: 'terser',
        terserOptions: { module: true, compress: { passes: 2 } },
        cssCodeSplit: false,
        // A data: URL would need a hole in the CSP.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        manifest: true,
        reportCompressedSize: false,
        rollupOptions: {
            output: {
                manualChunks: chunkOf,
            },
        },
    },
    server: { proxy },
    preview: { proxy },
});
