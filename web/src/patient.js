import { defineAsyncComponent } from 'vue';

const LONGEST_S = 10;

/** A component whose file is asked for until it is there: the network may be
 *  away just then. @param {object} [more] of defineAsyncComponent() */
export const patient = (loader, more) => defineAsyncComponent({
    loader,
    onError: (error, retry, fail, attempts) =>
        setTimeout(retry, Math.min(attempts, LONGEST_S) * 1000),
    ...more,
});
