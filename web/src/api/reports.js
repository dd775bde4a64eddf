import { download, get } from './client.js';

export const dashboard = () => get('/crm/dashboard');
export const retention = (query) => get('/crm/reports/retention', query);
export const lybunt = (query) => get('/crm/reports/lybunt', query);
export const sybunt = (query) => get('/crm/reports/sybunt', query);
export const rfm = () => get('/crm/reports/rfm');
export const exportDonors = () => download('/crm/export/donors.csv');
export const exportDonations = () => download('/crm/export/donations.csv');
