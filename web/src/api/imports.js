import { post } from './client.js';

/** Donors and gifts of a CSV file. @param {boolean} dryRun stores nothing */
export function importDonors(file, dryRun) {
    const form = new FormData();
    form.append('file', file, file.name);
    return post('/crm/import', form,
        { timeout: 0, params: dryRun ? { dry_run: 1 } : {} });
}
