# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# MySQL: mariadbd, with the client `mariadb`, PyMySQL and mysql-connector-python (prepared statements).

mysql_dissector=mysql

record_mysql() {
    require "$1" mariadbd mariadb mariadb-install-db
    choose_port 3306
    venv pymysql==1.2.4 mysql-connector-python==9.1.0
    local data=$stage/data-mysql
    mkdir "$data"
    chown mysql "$data"
    mariadb-install-db --no-defaults --user=mysql --datadir="$data" --skip-test-db --auth-root-authentication-method=normal >"$stage/install.log" 2>&1
    serve mariadbd --no-defaults --user=mysql --datadir="$data" --port="$port" --bind-address=127.0.0.1 --socket="$data/sock" \
        --pid-file="$data/pid" --innodb-flush-log-at-trx-commit=0 --local-infile=1
    mariadb --no-defaults -S "$data/sock" -u root 2>"$stage/mariadb.log" <<'SQL'
CREATE USER alice@'127.0.0.1' IDENTIFIED BY 'correct horse';
CREATE DATABASE shop CHARACTER SET utf8mb4;
GRANT ALL ON shop.* TO alice@'127.0.0.1';
CREATE TABLE shop.book (id INT PRIMARY KEY, title VARCHAR(40), price DECIMAL(6,2));
INSERT INTO shop.book VALUES (1, 'Emma', 5.50), (2, NULL, 7);
SQL
    recorded_with "MariaDB $(mariadbd --version | sed -E 's/.*Ver ([0-9.]+).*/\1/'), PyMySQL 1.2.4, mysql-connector-python 9.1.0"

    local theme
    for theme in queries commands prepared errors pipelined; do
        "mysql_$theme"
    done
}

# sql_of USER PASSWORD [OPTION...]: runs the client `mariadb`.
sql_of() {
    client mariadb --no-defaults -h 127.0.0.1 -P "$port" -u "$1" "-p$2" "${@:3}"
}

mysql_queries() {
    begin queries.pcap
    sql_of alice 'correct horse' shop -e 'SELECT id, title, price FROM book ORDER BY id'
    sql_of alice 'correct horse' shop -e 'SELECT 1 FROM book WHERE false; UPDATE book SET price = 6 WHERE id = 1; DO 1'
    sql_of alice 'correct horse' -e 'USE shop; SHOW TABLES'
    printf '7,Sanditon,1.00\n' >"$stage/books.csv"
    sql_of alice 'correct horse' shop --local-infile=1 -e "LOAD DATA LOCAL INFILE '$stage/books.csv' INTO TABLE book FIELDS TERMINATED BY ','"
    end 4 'mariadb: rows with NULL, no rows, OK packets, USE, LOAD DATA LOCAL with a file that the server asks for' \
        'mysql.command == 3' 'mysql.command == 2' 'tcp.payload contains "Sanditon"'
}

mysql_commands() {
    begin commands.pcap
    client "$python" - "$port" <<'PY'
import sys, pymysql
from pymysql.constants import CLIENT
at = dict(host="127.0.0.1", port=int(sys.argv[1]), user="alice", password="correct horse", database="shop")
c = pymysql.connect(**at)
c.ping(False)
c.select_db("shop")
with c.cursor() as q:
    q.execute("INSERT INTO book VALUES (9, 'caf\u00e9 \u2713', 0)")
c.rollback()
c.close()
c = pymysql.connect(**at, client_flag=CLIENT.MULTI_STATEMENTS)
with c.cursor() as q:
    q.execute("SELECT 1; SELECT 2; DO 3")
    while q.nextset():
        pass
c.close()
PY
    client mariadb-admin --no-defaults -h 127.0.0.1 -P "$port" -u alice '-pcorrect horse' ping
    client mariadb-admin --no-defaults -h 127.0.0.1 -P "$port" -u alice '-pcorrect horse' status
    end 4 'PyMySQL: COM_PING, COM_INIT_DB, UTF-8, a rollback, several result sets; mariadb-admin: COM_STATISTICS' \
        'mysql.command == 14' 'mysql.command == 9'
}

mysql_prepared() {
    begin prepared.pcap
    client "$python" - "$port" <<'PY'
import sys, mysql.connector
from mysql.connector.constants import ClientFlag
at = dict(host="127.0.0.1", port=int(sys.argv[1]), user="alice", password="correct horse", database="shop", use_pure=True, ssl_disabled=True,
          client_flags=[-ClientFlag.CONNECT_ARGS])  # They name the machine.
c = mysql.connector.connect(**at)
q = c.cursor(prepared=True)
q.execute("SELECT id, title FROM book WHERE id = %s", (1,))
q.fetchall()
q.execute("SELECT id, title FROM book WHERE id = %s", (2,))
q.fetchall()
q.close()
c.close()
PY
    sql_of alice 'correct horse' shop -e "PREPARE p FROM 'SELECT ? + 1'; SET @a = 1; EXECUTE p USING @a; DEALLOCATE PREPARE p"
    end 2 'mysql-connector-python: COM_STMT_PREPARE, COM_STMT_EXECUTE with binary rows, COM_STMT_RESET or COM_STMT_CLOSE; mariadb: PREPARE and EXECUTE as text' \
        'mysql.command == 22' 'mysql.command == 23' 'mysql.command == 25'
}

mysql_errors() {
    begin errors.pcap
    sql_of alice 'wrong horse' -e 'SELECT 1'
    sql_of mallory x -e 'SELECT 1'
    # With `-e`, the client stops at the first error.
    printf "SELECT * FROM missing; SELEC 1; INSERT INTO book VALUES (1, 'twice', 0); SIGNAL SQLSTATE '45000';\n" | sql_of alice 'correct horse' shop --force
    sql_of alice 'correct horse' nowhere -e 'SELECT 1'
    dialogue '' '.' '\x01\x00\x00\x01x' EOF
    cut_off '\1\0'
    end 6 'mariadb: a wrong password, an unknown user, no such table, a syntax error, a duplicate key, SIGNAL, no such database; plain socket: a handshake response that is too short, **cut off on purpose**' \
        'mysql.error_code == 1045' 'mysql.error_code == 1146' 'mysql.error_code == 1062'
}

mysql_pipelined() {
    begin pipelined.pcap
    client "$python" - "$port" <<'PY'
import sys, pymysql
c = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="alice", password="correct horse", database="shop")
query = lambda text: len(text + b"q").to_bytes(3, "little") + b"\x00\x03" + text
c._sock.sendall(query(b"SELECT 1") + query(b"SELECT x") + query(b"SELECT 2"))
import time; time.sleep(0.5)
c._sock.sendall(query(b"SELECT 3")[:2]); time.sleep(0.2)
c._sock.sendall(query(b"SELECT 3")[2:]); time.sleep(0.5)
c._sock.sendall(b"\x01\x00\x00\x00\x01"); time.sleep(0.2)
c._sock.close()
PY
    end 1 'PyMySQL and its socket: three COM_QUERY in one write, an error among their answers; one cut in its length; COM_QUIT' 'mysql.command == 3' 'mysql.error_code == 1054'
}
