-- Who manages which departments. Until now every manager answered for all of them, and those that exist go on to.
CREATE TABLE manager (
    account    BLOB NOT NULL REFERENCES account (id),
    agent      BLOB NOT NULL REFERENCES agent (id),
    -- Departments live in the policy: no reference, and one that is gone counts for nothing.
    department BLOB NOT NULL CHECK (length(department) = 16),
    PRIMARY KEY (account, agent, department)
) STRICT, WITHOUT ROWID;

INSERT INTO manager (account, agent, department)
SELECT a.account, a.id, d.id FROM agent a JOIN department d ON d.account = a.account WHERE a.role = 'manager';
