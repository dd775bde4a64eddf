import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './App.vue';
import { i18n, need, setLocale } from './i18n/index.js';
import { router } from './router.js';
import { useAuth } from './stores/auth.js';
import { useSettings } from './stores/settings.js';
import './styles/tokens.css';
import './styles/base.css';

async function start() {
    const app = createApp(App);
    app.use(createPinia());
    app.use(i18n);
    useAuth().listen();
    const settings = useSettings();
    settings.listen();
    await setLocale(settings.locale);
    await need('common');
    app.use(router);
    app.mount('#app');
}

start();
