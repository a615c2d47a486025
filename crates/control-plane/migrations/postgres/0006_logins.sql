-- Browsers that somebody is logged in with. The cookie holds a secret of which only the hash is here.
CREATE TABLE plane_sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    hash       TEXT    NOT NULL UNIQUE,
    user_id    BIGINT  NOT NULL REFERENCES plane_users (id) ON DELETE CASCADE,
    -- What the browser calls itself, for whoever reads the list.
    browser    TEXT    NOT NULL,
    created_us BIGINT  NOT NULL,
    used_us    BIGINT  NOT NULL,
    expires_us BIGINT  NOT NULL
);
CREATE INDEX plane_sessions_by_user ON plane_sessions (user_id, created_us);

-- Whether a login at the provider made somebody a member: what it gave, the next one may take.
ALTER TABLE plane_members ADD COLUMN by_login BIGINT NOT NULL DEFAULT 0;

-- Tokens of machines: each has a name of its own and acts in one organization. NULL: the token of a person.
ALTER TABLE plane_tokens ADD COLUMN virtual_user TEXT;
ALTER TABLE plane_tokens ADD COLUMN organization_id BIGINT REFERENCES plane_organizations (id) ON DELETE CASCADE;
