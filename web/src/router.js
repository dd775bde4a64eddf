import { createRouter, createWebHistory } from 'vue-router';
import { ApiError } from './api/errors.js';
import { chatOf } from './api/inbox.js';
import { need } from './i18n/index.js';
import { can } from './roles.js';
import { useAuth } from './stores/auth.js';
import { useToasts } from './stores/toasts.js';

/*
 * meta.texts: files of src/i18n/ that the page needs, loaded beside it.
 * meta.role: the least role that sees the page (roles.js).
 */
const routes = [
    { path: '/', redirect: '/inbox' },
    {
        path: '/login', name: 'login',
        component: () => import('./pages/LoginPage.vue'),
        meta: { public: true, texts: ['login'] },
    },
    {
        path: '/inbox/:chatId?', name: 'inbox',
        component: () => import('./pages/InboxPage.vue'),
        meta: { texts: ['inbox'] },
    },
    {
        // From a person to the conversation with them, in the list of its
        // number; where there is none yet, to the first message.
        path: '/to/:phone', name: 'person',
        component: () => import('./pages/LostPage.vue'),
        beforeEnter: async (to) => {
            const { phone } = to.params;
            try {
                const chat = await chatOf(phone);
                return chat ? { name: 'inbox', params: { chatId: chat.id },
                    query: { session: chat.session_id } }
                    : { name: 'inbox', query: { write: phone } };
            } catch {
                return { name: 'inbox', query: { search: phone } };
            }
        },
    },
    {
        path: '/dashboard', name: 'dashboard',
        component: () => import('./pages/DashboardPage.vue'),
        meta: { texts: ['dashboard'] },
    },
    {
        path: '/reminders', name: 'reminders',
        component: () => import('./pages/RemindersPage.vue'),
        meta: { texts: ['reminders', 'donor'] },
    },
    {
        path: '/sessions', name: 'sessions',
        component: () => import('./pages/SessionsPage.vue'),
        meta: { texts: ['sessions', 'dashboard'] },
    },
    {
        path: '/templates', name: 'templates',
        component: () => import('./pages/TemplatesPage.vue'),
        meta: { texts: ['templates'] },
    },
    {
        path: '/reports', name: 'reports',
        component: () => import('./pages/ReportsPage.vue'),
        meta: { texts: ['reports', 'import'], role: 'supervisor' },
    },
    {
        path: '/agents', name: 'agents',
        component: () => import('./pages/AgentsPage.vue'),
        meta: { texts: ['agents'], role: 'admin' },
    },
    {
        path: '/import', name: 'import',
        component: () => import('./pages/ImportPage.vue'),
        meta: { texts: ['import'], role: 'admin' },
    },
    {
        path: '/audit', name: 'audit',
        component: () => import('./pages/AuditPage.vue'),
        meta: { texts: ['audit'], role: 'admin' },
    },
    {
        path: '/settings', name: 'settings',
        component: () => import('./pages/SettingsPage.vue'),
        meta: { texts: ['settings'] },
    },
    {
        path: '/:rest(.*)*', name: 'lost',
        component: () => import('./pages/LostPage.vue'),
    },
];

export const router = createRouter({
    history: createWebHistory(),
    routes,
});

/** Only ways inside: never //elsewhere. */
export function insideOf(path) {
    const to = String(path ?? '');
    return /^\/(?![/\\])/.test(to) ? to : '/inbox';
}

let leaving = false;
window.addEventListener('beforeunload', () => {
    leaving = true;
});

router.beforeEach((to) => {
    leaving = false;
    const auth = useAuth();
    if (!to.meta.public && !auth.user) {
        return { name: 'login', query: { next: to.fullPath } };
    }
    if (to.name === 'login' && auth.user) {
        return { name: 'inbox' };
    }
    if (to.meta.role && !can(auth.user, to.meta.role)) {
        return { name: 'inbox' };
    }
    return true;
});

router.beforeResolve(async (to) => {
    await need(...(to.meta.texts ?? []));
});

/* The page that this one was loaded anew for, and which has not come yet. */
const RELOADED = 'wacrm.reloaded';
router.afterEach((to, from, failure) =>
    failure || sessionStorage.removeItem(RELOADED));

// After an update of the server the old hashed files are gone: load the page
// anew, once. Where the server is away, that would lose this one.
router.onError(async (error, to) => {
    if (leaving || !/dynamically imported module|module script/i.test(error.message)) {
        return;
    }
    const here = router.currentRoute.value;
    const { ok } = await fetch('/', { signal: AbortSignal.timeout(10000) })
        .catch(() => ({}));
    if (router.currentRoute.value !== here) {
        return; // somebody has gone elsewhere meanwhile
    }
    if (ok && sessionStorage.getItem(RELOADED) !== to.fullPath) {
        sessionStorage.setItem(RELOADED, to.fullPath);
        location.assign(to.fullPath);
    } else {
        useToasts().error(new ApiError({ status: ok ? 503 : 0 }));
    }
});
