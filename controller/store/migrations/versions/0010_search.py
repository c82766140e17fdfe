"""Full-text search: what the audit, events, messages and memories say, kept up by triggers.

`search` has a row for each of theirs: by whom it may be found, and its words. Numbers only grow and
are never used again, so that what an index says can mean no other row.

On SQLite the index takes rows 256 at a time (a row at a time costs some times as much, and every
command waits for it); `search_mark` is how far it is, and the rows behind that are few enough to be
looked at. On PostgreSQL GIN has such a list of its own. Memories are in no index: they are few, and
what is forgotten has to be gone, while an index keeps a word for some time.

U+E000 begins what is no word of a text: the kind, the device, and on PostgreSQL the block of numbers.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

# kind, table, key, device, owner, time, texts, JSON texts, columns that matter
_SOURCES = (
    ("audit", "audit_log", "@number", "@device_id", "'user:' || @actor", "@at",
     ("@actor", "@action", "@device_id", "@tool"), ("@detail",),
     "number, at, actor, action, device_id, tool, detail"),
    ("event", "events", "@id", "@device_id", "NULL", "@received_at",
     ("@device_id", "@event_type", "@severity"), ("@data",),
     "id, device_id, event_type, severity, data, received_at"),
    ("message", "messages", "@number", "NULL", "'session:' || @session_id", "@created_at",
     ("@content",), (),
     "number, session_id, content, created_at"),
    ("memory", "context_memory", "@id", "@device_id",
     "CASE WHEN @scope IN ('user', 'session') THEN @scope || ':' || @owner END", "@updated_at",
     ("@key", "@category"), ("@value", "@tags"),
     'id, key, value, device_id, category, tags, scope, "owner", updated_at'),
)  # fmt: skip
LONGEST = 20_000  # characters of one text that can be found


def upgrade() -> None:
    """Go to this revision."""
    for statement in _postgresql() if _on_postgresql() else _sqlite():
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Go back to the one before."""
    run = op.get_bind().exec_driver_sql
    if _on_postgresql():
        for _, table, *_ in _SOURCES:
            run("DROP TRIGGER search_of_@ ON @".replace("@", table))
            run("DROP FUNCTION search_of_@()".replace("@", table))
        run("DROP FUNCTION search_keep(text, text, text, text, timestamptz, text)")
        run("DROP FUNCTION search_vector(bigint, text, text, text)")
        run("DROP FUNCTION search_words(text)")
        run("DROP FUNCTION search_said(jsonb)")
        run("DROP TABLE search")
        return
    for _, table, *_ in _SOURCES:
        for when in ("added", "changed", "removed"):
            run("DROP TRIGGER search_of_@_".replace("@", table) + when)
    for table in ("search_index", "search_mark", "search"):
        run("DROP TABLE " + table)


def _of(statement: str, **parts: str) -> str:
    """A statement made of parts that stand in this file."""
    for name, part in parts.items():
        statement = statement.replace("{" + name + "}", part)
    return statement


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


_SQLITE_TABLES = (
    """CREATE TABLE search (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, kind VARCHAR NOT NULL, "key" VARCHAR NOT NULL,
    device_id VARCHAR, owner VARCHAR, at DATETIME NOT NULL, words TEXT NOT NULL)""",
    'CREATE INDEX ix_search_key ON search ("key")',
    "CREATE INDEX ix_search_at ON search (at)",
    "CREATE INDEX ix_search_memories ON search (kind) WHERE kind = 'memory'",
    "CREATE TABLE search_mark (number INTEGER NOT NULL)",
    """CREATE VIRTUAL TABLE search_index USING fts5(words, content='search', content_rowid='number',
    detail=none, columnsize=0, tokenize="unicode61 remove_diacritics 2")""",
)
_SQLITE_REST = (
    "INSERT INTO search_mark SELECT coalesce(max(number), 0) FROM search",
    "INSERT INTO search_index (rowid, words) SELECT number, words FROM search WHERE kind <> 'memory' ORDER BY number",
    "INSERT INTO search_index (search_index) VALUES ('optimize')",
    """CREATE TRIGGER search_taken AFTER INSERT ON search WHEN NEW.number >= (SELECT number FROM search_mark) + 256 BEGIN
    INSERT INTO search_index (rowid, words) SELECT number, words FROM search
    WHERE number > (SELECT number FROM search_mark) AND kind <> 'memory' ORDER BY number;
    UPDATE search_mark SET number = NEW.number; END""",
    """CREATE TRIGGER search_dropped AFTER DELETE ON search
    WHEN OLD.kind <> 'memory' AND OLD.number <= (SELECT number FROM search_mark) BEGIN
    INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', OLD.number, OLD.words); END""",
)
# names and values of a JSON text, without its signs; U+0000 would end a text in the middle
_SQLITE_JSON = """coalesce((SELECT group_concat(
    CASE typeof(t.key) WHEN 'text' THEN t.key || ' ' ELSE '' END ||
    CASE t.type WHEN 'object' THEN '' WHEN 'array' THEN '' WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'
    WHEN 'null' THEN 'null' ELSE t.atom END, ' ')
    FROM json_tree(CASE WHEN json_valid(@) THEN replace(@, '\\u0000', '\\u2400') ELSE '""' END) t), '')"""


def _sqlite() -> list[str]:
    parts, triggers = [], []
    for kind, table, key, device, owner, at, texts, said, columns in _SOURCES:
        words = [f"coalesce({text}, '')" for text in texts] + [_SQLITE_JSON.replace("@", each) for each in said]
        facets = f"' ' || char(57344) || 'k{kind}'"
        facets += f" || CASE WHEN {device} IS NULL THEN '' ELSE ' ' || char(57344) || 'd' || hex({device}) END"
        text = f"substr(replace({' || chr || '.join(words)}, char(57344), ' '), 1, {LONGEST})".replace("chr", "' '")
        row = f"'{kind}', CAST({key} AS TEXT), {device}, {owner}, {at}, {text} || {facets}"
        insert = 'INSERT INTO search (kind, "key", device_id, owner, at, words)'
        remove = _of("DELETE FROM search WHERE \"key\" = CAST({key} AS TEXT) AND kind = '{kind}'", key=key, kind=kind)
        remove += f" AND device_id IS {device};" if kind == "event" else ";"
        remove, keep = remove.replace("@", "OLD."), f"{insert} VALUES ({row});".replace("@", "NEW.")
        name = f"search_of_{table}"
        triggers += [
            f"CREATE TRIGGER {name}_added AFTER INSERT ON {table} BEGIN {keep} END",
            f"CREATE TRIGGER {name}_changed AFTER UPDATE OF {columns} ON {table} BEGIN {remove} {keep} END",
            f"CREATE TRIGGER {name}_removed AFTER DELETE ON {table} BEGIN {remove} END",
        ]
        parts.append(_of("SELECT {row} FROM {table} r", row=row.replace("@", "r."), table=table))
    every = " UNION ALL ".join(parts)
    fill = 'INSERT INTO search (kind, "key", device_id, owner, at, words) ' + every + " ORDER BY 5"
    return [*_SQLITE_TABLES, fill, *_SQLITE_REST, *triggers]


_POSTGRESQL_TABLES = (
    """CREATE TABLE search (
    number BIGSERIAL PRIMARY KEY, kind VARCHAR NOT NULL, "key" VARCHAR NOT NULL,
    device_id VARCHAR, owner VARCHAR, at TIMESTAMPTZ NOT NULL, words TSVECTOR NOT NULL)""",
    # the same words as FTS5's unicode61 with remove_diacritics 2; a word of 2,000 bytes would be refused
    """CREATE FUNCTION search_words(said text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(said) <= 500 THEN words
        ELSE ARRAY(SELECT word FROM unnest(words) word WHERE length(word) <= 100) END
    FROM (SELECT array_remove(string_to_array(regexp_replace(
        CASE WHEN octet_length(said) = length(said) THEN lower(said) ELSE normalize(regexp_replace(
            normalize(lower(said@), NFD), '[\\u0300-\\u036f]+', '', 'g'), NFC) END@,
        '[^[:alnum:]²³¹¼½¾]+', ' ', 'g'), ' '), '') AS words) found $$""",
    """CREATE FUNCTION search_said(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(value::text, '\\\\(u....|.)', ' ', 'g') $$""",
    """CREATE FUNCTION search_vector(number bigint, kind text, device_id text, said text)
    RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array_remove(search_words(left(said, @)) || ARRAY[
        U&'\\E000k' || kind, U&'\\E000b' || number / 4096,
        U&'\\E000d' || upper(encode(convert_to(device_id, 'UTF8'), 'hex'))], NULL)) $$""".replace("@", str(LONGEST)),
    """CREATE FUNCTION search_keep(kind text, key text, device_id text, owner text, at timestamptz, said text)
    RETURNS void LANGUAGE plpgsql AS $$
    DECLARE number bigint := nextval('search_number_seq');
    BEGIN
        INSERT INTO search
        VALUES (number, kind, key, device_id, owner, at, search_vector(number, kind, device_id, said));
    END $$""",
)
_POSTGRESQL_INDEXES = (
    "SET LOCAL maintenance_work_mem = '256MB'",  # GIN of many rows is made in pieces of this size
    'CREATE INDEX ix_search_key ON search ("key")',
    "CREATE INDEX ix_search_at ON search (at)",
    "CREATE INDEX ix_search_memories ON search (number) WHERE kind = 'memory'",
    "CREATE INDEX ix_search_words ON search USING gin (words) WITH (gin_pending_list_limit = 512) WHERE kind <> 'memory'",
    "ANALYZE search",
)


def _postgresql() -> list[str]:
    # a database of the locale C knows no letter but those of ASCII
    has_icu = op.get_bind().exec_driver_sql("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'").first()
    collation = ' COLLATE "und-x-icu"' if has_icu else ""
    parts, triggers = [], []
    for kind, table, key, device, owner, at, texts, said, columns in _SOURCES:
        words = [*texts, *(f"search_said({each})" for each in said)]
        row = f"'{kind}', ({key})::text, {device}, {owner}, {at}, concat_ws(' ', {', '.join(words)})"
        remove = _of("DELETE FROM search s WHERE s.key = ({key})::text AND s.kind = '{kind}'", key=key, kind=kind)
        remove += f" AND s.device_id = {device}" if kind == "event" else ""
        name = f"search_of_{table}"
        triggers += [
            f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF TG_OP <> 'INSERT' THEN {remove.replace("@", "OLD.")}; END IF;
            IF TG_OP <> 'DELETE' THEN PERFORM search_keep({row.replace("@", "NEW.")}); END IF;
            RETURN NULL; END $$""",
            f"""CREATE TRIGGER {name} AFTER INSERT OR DELETE OR UPDATE OF {columns} ON {table}
            FOR EACH ROW EXECUTE FUNCTION {name}()""",
        ]
        parts.append(_of("SELECT {row} FROM {table} r", row=row.replace("@", "r."), table=table))
    every = " UNION ALL ".join(parts)
    fill = (
        "INSERT INTO search SELECT number, kind, key, device_id, owner, at, search_vector(number, kind, device_id, said) "
        "FROM (SELECT row_number() OVER (ORDER BY at) AS number, found.* "
        "FROM ({every}) AS found(kind, key, device_id, owner, at, said)) AS numbered"
    )
    fill = _of(fill, every=every)
    last = "SELECT setval('search_number_seq', coalesce(max(number), 0) + 1, false) FROM search"
    tables = [each.replace("@", collation) for each in _POSTGRESQL_TABLES]
    return [*tables, fill, last, *_POSTGRESQL_INDEXES, *triggers]
