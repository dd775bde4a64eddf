const RANK = { cs: 1, supervisor: 2, admin: 3 };

/**
 * Has this user at least that role? Only for what is shown: the server
 * decides what is allowed.
 *
 * @param {{role: string}|null} user
 * @param {'cs'|'supervisor'|'admin'} role
 */
export function can(user, role) {
    return (RANK[user?.role] ?? 0) >= RANK[role];
}
