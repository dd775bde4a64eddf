/*
 * spool_hold - holds LMDB's write lock of a spool until stdin ends, so that
 * commits hang. Prints "held" once it has it.
 */
#include <stdio.h>

#include <lmdb.h>

int main(int argc, char **argv)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    char c;
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: spool_hold PATH\n");
        return 2;
    }
    rc = mdb_env_create(&env);
    if (rc == 0) {
        rc = mdb_env_open(env, argv[1], 0, 0660);
    }
    if (rc == 0) {
        rc = mdb_txn_begin(env, NULL, 0, &txn);
    }
    if (rc == 0) {
        printf("held\n");
        fflush(stdout);
        while (fread(&c, 1, 1, stdin) == 1) {
            ;
        }
        mdb_txn_abort(txn);
    } else {
        fprintf(stderr, "spool_hold: %s\n", mdb_strerror(rc));
    }
    mdb_env_close(env);
    return rc != 0;
}
