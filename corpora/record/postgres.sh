# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# PostgreSQL, protocol 3.0: postgres, with psql, pgbench, psycopg (libpq in pipeline mode) and a plain socket.
#
# The server cannot run as root, so it runs as `nobody`. It refuses TLS, and asks `alice` for a password (SCRAM), `bob` for a
# password in clear and `carol` for MD5.

postgres_dissector=pgsql

record_postgres() {
    require "$1" psql pg_ctlcluster
    choose_port 5432
    venv psycopg==3.3.9 psycopg-binary==3.3.9
    postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
    local data=$stage/data-postgres
    mkdir "$data"
    chown nobody "$data"
    (postgres_as "$postgres_bin/initdb" -D "$data" -U root -A trust -N --no-locale -E UTF8) >"$stage/initdb.log" 2>&1
    printf 'host all alice 127.0.0.1/32 scram-sha-256\nhost all bob 127.0.0.1/32 password\nhost all carol 127.0.0.1/32 md5\nhost all mallory 127.0.0.1/32 reject\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n' >"$data/pg_hba.conf"
    serve postgres_as "$postgres_bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$data" \
        -c fsync=off -c autovacuum=off -c logging_collector=off
    psql -qX -h "$data" -p "$port" -U root postgres 2>"$stage/psql.log" <<'SQL'
CREATE ROLE alice LOGIN PASSWORD 'correct horse';
CREATE ROLE bob LOGIN PASSWORD 'correct horse';
SET password_encryption = md5;
CREATE ROLE carol LOGIN PASSWORD 'correct horse';
CREATE TABLE book (id int PRIMARY KEY, title text, price numeric);
INSERT INTO book VALUES (1, 'Emma', 5.50), (2, NULL, 7);
GRANT ALL ON book TO PUBLIC;
SQL
    recorded_with "PostgreSQL $(psql --version | sed -E 's/.* ([0-9.]+)( .*)?$/\1/'), psycopg 3.3.9"

    local theme
    for theme in simple_queries authentication errors copy extended pipelined notify; do
        "postgres_$theme"
    done
}

postgres_as() {
    exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
}

# sql [OPTION...]: runs psql, without its search for a configuration.
sql() {
    PGSSLMODE=${PGSSLMODE:-disable} PGGSSENCMODE=disable PGAPPNAME=x client psql -qX -h 127.0.0.1 -p "$port" -U root "$@" postgres
}

postgres_simple_queries() {
    begin simple-queries.pcap
    PGSSLMODE=prefer sql -c 'SELECT 1 AS one'
    sql -c 'SELECT id, title, price FROM book ORDER BY id' -c 'SELECT 1 WHERE false' -c "INSERT INTO book VALUES (3, 'It''s', 1)"
    sql -c 'BEGIN; SELECT 1; SELECT 2; COMMIT'
    sql -c "SET client_min_messages = debug1; DO \$\$ BEGIN RAISE WARNING 'careful: %', 7; END \$\$" -c ''
    end 4 'psql: an SSLRequest that is refused, rows with NULL, no rows, several statements in one Query, a notice, an empty query' \
        'pgsql.type == "Simple query"' 'pgsql.type == "Row description"' 'pgsql.type == "Notice"' 'tcp.payload contains 04:d2:16:2f'
}

postgres_authentication() {
    begin authentication.pcap
    PGPASSWORD='correct horse' sql -U alice -c 'SELECT current_user'
    PGPASSWORD='correct horse' sql -U bob -c 'SELECT current_user'
    PGPASSWORD='correct horse' sql -U carol -c 'SELECT current_user'
    PGPASSWORD='wrong horse' sql -U alice -c 'SELECT 1'
    PGPASSWORD=x sql -U mallory -c 'SELECT 1'
    end 5 'psql: SCRAM-SHA-256, a password in clear, MD5; a wrong password; a user who is rejected' \
        'pgsql.authtype == 10' 'pgsql.authtype == 3' 'pgsql.authtype == 5' 'pgsql.code == "28P01"' 'pgsql.code == "28000"'
}

postgres_errors() {
    begin errors.pcap
    sql -c 'SELECT * FROM missing' -c 'SELEC 1' -c "INSERT INTO book VALUES (1, 'twice', 0)"
    sql -c 'BEGIN; SELECT 1/0; SELECT 1' -c 'SELECT 1'
    PGSSLMODE=disable client psql -qX -h 127.0.0.1 -p "$port" -U root nowhere
    # A startup packet of an unknown version; a CancelRequest; one cut in its length.
    dialogue '\x00\x00\x00\x09\x00\x09\x00\x00\x00' EOF
    dialogue '\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02' EOF
    cut_off '\0\0\0'
    end 6 'psql: no such table, a syntax error, a duplicate key, an error inside a transaction, no such database; plain socket: an unknown version, a CancelRequest, **cut off on purpose**' \
        'pgsql.code == "42P01"' 'pgsql.code == "23505"' 'pgsql.code == "3D000"'
}

postgres_copy() {
    begin copy.pcap
    printf '4\tPersuasion\t4.20\n5\t\\N\t0\n' | sql -c 'COPY book FROM STDIN'
    printf 'x\tbad\t1\n' | sql -c 'COPY book FROM STDIN'
    sql -c 'COPY (SELECT id, title FROM book ORDER BY id) TO STDOUT (FORMAT csv)'
    sql -c 'COPY (SELECT 1::int) TO STDOUT (FORMAT binary)'
    end 4 'psql: COPY in, COPY in that fails, COPY out as text and in binary' 'pgsql.type == "Copy data"' 'pgsql.code == "22P02"'
}

postgres_extended() {
    begin extended.pcap
    printf "SELECT title FROM book WHERE id = 1;\n" >"$stage/bench.sql"
    PGSSLMODE=disable PGGSSENCMODE=disable client pgbench -n -M extended -t 3 -c 1 -f "$stage/bench.sql" -h 127.0.0.1 -p "$port" -U root postgres
    printf '\\set n random(1, 3)\nSELECT title FROM book WHERE id = :n;\n' >"$stage/bench.sql"
    PGSSLMODE=disable PGGSSENCMODE=disable client pgbench -n -M prepared -t 3 -c 1 -f "$stage/bench.sql" -h 127.0.0.1 -p "$port" -U root postgres
    client "$python" - "$port" <<'PY'
import sys, psycopg
at = f"host=127.0.0.1 port={sys.argv[1]} user=root dbname=postgres sslmode=disable gssencmode=disable"
with psycopg.connect(at, autocommit=True) as c:
    c.execute("SELECT %s::text, %b::int", ["caf\u00e9", 7])
    c.execute("SELECT id FROM book WHERE id = %s", [1], prepare=True)
    c.execute("SELECT id FROM book WHERE id = %s", [2], prepare=True)
    try:
        c.execute("SELECT %s::int", ["seven"])
    except psycopg.Error:
        pass
PY
    end 3-5 'pgbench and psycopg: Parse, Bind, Describe, Execute, Sync with text and binary parameters; prepared statements; an error behind Bind' \
        'pgsql.type == "Parse"' 'pgsql.type == "Bind completion"' 'pgsql.code == "22P02"'
}

postgres_pipelined() {
    begin pipelined.pcap
    client "$python" - "$port" <<'PY'
import sys, psycopg
at = f"host=127.0.0.1 port={sys.argv[1]} user=root dbname=postgres sslmode=disable gssencmode=disable"
with psycopg.connect(at, autocommit=True) as c:
    with c.pipeline():
        for n in range(4):
            c.execute("SELECT %s::int", [n])
with psycopg.connect(at, autocommit=True) as c:
    try:
        with c.pipeline() as p:
            c.execute("SELECT 1")
            c.execute("SELECT 1/0")
            c.execute("SELECT 2")
            p.sync()
            c.execute("SELECT 3")
    except psycopg.Error:
        pass
PY
    # Startup, three Query and Terminate in one write.
    dialogue '\x00\x00\x00\x25\x00\x03\x00\x00user\x00root\x00database\x00postgres\x00\x00\x51\x00\x00\x00\x0dSELECT 1\x00\x51\x00\x00\x00\x0dSELECT x\x00\x51\x00\x00\x00\x0dSELECT 2\x00\x58\x00\x00\x00\x04' EOF
    end 3 'psycopg in pipeline mode: four statements before the first answer; an error, after which the rest is skipped until Sync; plain socket: startup, three Query and Terminate in one write' \
        'pgsql.code == "22012"' 'pgsql.code == "42703"'
}

postgres_notify() {
    begin notify.pcap
    client "$python" - "$port" <<'PY'
import sys, psycopg
at = f"host=127.0.0.1 port={sys.argv[1]} user=root dbname=postgres sslmode=disable gssencmode=disable"
with psycopg.connect(at, autocommit=True) as listener, psycopg.connect(at, autocommit=True) as c:
    listener.execute("LISTEN shelf")
    c.execute("NOTIFY shelf, 'a new book'")
    for _ in listener.notifies(timeout=10, stop_after=1):
        pass
    c.execute("SELECT pg_terminate_backend(%s)", [listener.info.backend_pid])
PY
    end 2 'psycopg: LISTEN, a notification that answers no query; a session that an administrator ends, with an error out of order' \
        'pgsql.type == "Notification"' 'pgsql.code == "57P01"'
}
