PRAGMA application_id = 1415013224;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE call_ledger (
        month TEXT PRIMARY KEY,
        calls INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
INSERT INTO "call_ledger" VALUES('2026-11',4);
CREATE TABLE finished_task (
        sequence INTEGER PRIMARY KEY,
        task_id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        upstream_status INTEGER,
        total_count INTEGER,
        succeeded_count INTEGER,
        failed_count INTEGER,
        observe_time INTEGER NOT NULL,
        change_time INTEGER NOT NULL,
        first_observe_time INTEGER NOT NULL
      ) STRICT;
INSERT INTO "finished_task" VALUES(1,'abcd','PARTIALLY_FAILED',2,1,1,0,1795680185192899788,1795680185192899788,1795680185192899788);
INSERT INTO "finished_task" VALUES(2,'succeeded','SUCCEEDED',1,4,4,0,1795680185212857132,1795680185212857132,1795680185212857132);
INSERT INTO "finished_task" VALUES(3,'failed','ALL_FAILED',3,4,0,4,1795680185252334232,1795680185252334232,1795680185252334232);
CREATE TABLE property (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
INSERT INTO "property" VALUES('opened',1795680185);
COMMIT;
