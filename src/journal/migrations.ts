/** A step from one version of the database to the next. */
export type Migration = string

/** What makes each version of the one before; a new database is made by all of them. The number of them is the version. */
export const migrations: readonly Migration[] = [
  `CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
   CREATE TABLE records (
     seq INTEGER PRIMARY KEY,
     owner INTEGER NOT NULL REFERENCES names,
     "table" INTEGER NOT NULL REFERENCES names,
     key TEXT NOT NULL,
     value TEXT NOT NULL,
     digest INTEGER NOT NULL,
     UNIQUE (owner, "table", key)
   ) STRICT;`,
]
