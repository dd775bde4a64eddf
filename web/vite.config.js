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
const chunkOf = (id) => VENDOR.test(id) ? 'vendor'
    : LATE.test(id) ? `vendor-${LATE.exec(id)[1]}` : undefined;

export default defineConfig({
    plugins: [
        vue(),
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
        target: 'es2020',
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
