//! Conversations and their messages. A line of a case is: `>` for the client or `<` for the server,
//! kind, offset and length, outcome unless it is ok, the number of the answered command, summary.

use enjamb::{Ending, Side};

use crate::{Step, assert_same_for_every_cut, client, say, server, whole};

fn gap(side: Side, missing: u64) -> Step {
    Step::Gap(side, missing)
}

fn ends(side: Side, ending: Ending) -> Step {
    Step::Close(side, ending)
}

use Side::{Client, Server};

#[test]
fn every_conversation_gives_its_messages() {
    let cases: Vec<(&str, Vec<Step>, &str)> = vec![
        (
            "commands",
            vec![
                client("*3\r\n$3\r\nset\r\n$3\r\nkey\r\n$9\r\ntwo words\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n"),
                server("+OK\r\n$9\r\ntwo words\r\n"),
            ],
            r#"
            > SET 0+37: set key "two words"
            > GET 37+19: GET ""
            < reply 0+5 #0: OK
            < reply 5+15 #1: "two words"
            "#,
        ),
        (
            "binary arguments",
            vec![client(b"*3\r\n$3\r\nSET\r\n$2\r\n\xff\n\r\n$6\r\n\xe2\x82\xacuro\r\n")],
            r#"
            > SET 0+33: SET "\xff\n" "€uro"
            "#,
        ),
        (
            "a long argument",
            vec![client(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n{}\r\n", "é".repeat(50)))],
            r#"
            > SET 0+128: SET k "éééééééééééééééééééééééééééééééééééééééé…" (100 bytes)
            "#,
        ),
        (
            "many arguments",
            vec![client(format!("*12\r\n$4\r\nMGET\r\n{}", "$1\r\nk\r\n".repeat(11)))],
            r#"
            > MGET 0+92: MGET k k k k k k k (and 4 more)
            "#,
        ),
        (
            "a name that is none",
            vec![client("*1\r\n$2\r\na\"\r\n*1\r\n$33\r\nabcdefghijklmnopqrstuvwxyzabcdefg\r\n")],
            r#"
            > command 0+12: "a\""
            > command 12+44: abcdefghijklmnopqrstuvwxyzabcdefg
            "#,
        ),
        (
            "secrets",
            vec![client("AUTH default s3cret\r\nHELLO 3 AUTH default s3cret SETNAME me\r\n")],
            r#"
            > AUTH 0+21: AUTH (redacted) (redacted)
            > HELLO 21+40: HELLO 3 AUTH (redacted) (redacted) (redacted) (redacted)
            "#,
        ),
        (
            "inline, blank lines, commands that are none",
            vec![
                client("\r\n \t\nSET k \"a b\"\nPING\r\n*0\r\n*-1\r\nPING\r\n\r\n\n"),
                server("+OK\r\n+PONG\r\n+PONG\r\n"),
            ],
            r#"
            > SET 0+17: SET k "a b"
            > PING 17+6: PING
            > command 23+4: (no arguments)
            > command 27+5: (no arguments)
            > PING 32+6: PING
            < reply 0+5 #0: OK
            < reply 5+7 #1: PONG
            < reply 12+7 #4: PONG
            > blank 38+3: blank lines
            "#,
        ),
        (
            "RESP2 replies",
            vec![
                client("A\nB\nC\nD\nE\nF\nG\nH\n"),
                server(
                    "+OK\r\n-WRONGTYPE Operation against\r\n:-3\r\n$5\r\nhe\rlo\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n$1\r\na\r\n:1\r\n*2\r\n+x\r\n$-1\r\n",
                ),
            ],
            r#"
            > A 0+2: A
            > B 2+2: B
            > C 4+2: C
            > D 6+2: D
            > E 8+2: E
            > F 10+2: F
            > G 12+2: G
            > H 14+2: H
            < reply 0+5 #0: OK
            < reply 5+30 failed WRONGTYPE #1: (error) WRONGTYPE Operation against
            < reply 35+5 #2: (integer) -3
            < reply 40+11 #3: "he\rlo"
            < reply 51+5 #4: (nil)
            < reply 56+5 #5: (nil)
            < reply 61+4 #6: array of 0
            < reply 65+28 #7: array of 3: "a", (integer) 1, array of 2 [x, (nil)]
            "#,
        ),
        (
            "RESP3 replies",
            vec![
                client("A\nB\nC\nD\nE\nF\nG\nH\nI\nJ\n"),
                server(
                    "_\r\n#t\r\n#f\r\n,1.5e10\r\n,-inf\r\n(-123456789012345678901234567890\r\n!10\r\nSYNTAX bad\r\n=7\r\ntxt:a\nb\r\n%2\r\n+a\r\n:1\r\n+b\r\n~2\r\n+x\r\n+y\r\n~1\r\n:+07\r\n",
                ),
            ],
            r#"
            > A 0+2: A
            > B 2+2: B
            > C 4+2: C
            > D 6+2: D
            > E 8+2: E
            > F 10+2: F
            > G 12+2: G
            > H 14+2: H
            > I 16+2: I
            > J 18+2: J
            < reply 0+3 #0: (nil)
            < reply 3+4 #1: (true)
            < reply 7+4 #2: (false)
            < reply 11+9 #3: (double) 1.5e10
            < reply 20+7 #4: (double) -inf
            < reply 27+34 #5: (big number) -123456789012345678901234567890
            < reply 61+17 failed SYNTAX #6: (error) SYNTAX bad
            < reply 78+13 #7: txt:a\nb
            < reply 91+28 #8: map of 2: a, (integer) 1, b, set of 2 [x, y]
            < reply 119+10 #9: set of 1: (integer) +07
            "#,
        ),
        (
            "an error inside of an array is an element",
            vec![
                client("MULTI\r\nINCR a\r\nEXEC\r\n"),
                server("+OK\r\n+QUEUED\r\n*2\r\n-ERR value is not an integer\r\n:2\r\n"),
            ],
            r#"
            > MULTI 0+7: MULTI
            > INCR 7+8: INCR a
            > EXEC 15+6: EXEC
            < reply 0+5 #0: OK
            < reply 5+9 #1: QUEUED
            < reply 14+38 #2: array of 2: (error) ERR value is not an integer, (integer) 2
            "#,
        ),
        (
            "errors and their codes",
            vec![
                client("A\nB\nC\nD\n"),
                server(
                    "-MOVED 3999 127.0.0.1:6381\r\n-\r\n-no=code here\r\n-ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ x\r\n",
                ),
            ],
            r#"
            > A 0+2: A
            > B 2+2: B
            > C 4+2: C
            > D 6+2: D
            < reply 0+28 failed MOVED #0: (error) MOVED 3999 127.0.0.1:6381
            < reply 28+3 failed #1: (error) 
            < reply 31+15 failed #2: (error) no=code here
            < reply 46+41 failed ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF #3: (error) ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ x
            "#,
        ),
        (
            "attributes belong to what follows",
            vec![
                client("A\nB\nC\n"),
                server(
                    "|1\r\n+ttl\r\n%1\r\n:1\r\n$1\r\nx\r\n:7\r\n*3\r\n:1\r\n|1\r\n+a\r\n|0\r\n:2\r\n:3\r\n:4\r\n|0\r\n>1\r\n+x\r\n+OK\r\n",
                ),
            ],
            r#"
            > A 0+2: A
            > B 2+2: B
            > C 4+2: C
            < reply 0+29 #0: (integer) 7
            < reply 29+32 #1: array of 3: (integer) 1, (integer) 3, (integer) 4
            < push 61+12: push of 1: x
            < reply 73+5 #2: OK
            "#,
        ),
        (
            "streamed",
            vec![
                client("A\nB\nC\nD\nE\n"),
                server(
                    "$?\r\n;4\r\nHell\r\n;2\r\n\r\n\r\n;0\r\n*?\r\n:1\r\n*1\r\n:2\r\n.\r\n%?\r\n+k\r\n~?\r\n.\r\n.\r\n$?\r\n;0\r\n*?\r\n.\r\n",
                ),
            ],
            r#"
            > A 0+2: A
            > B 2+2: B
            > C 4+2: C
            > D 6+2: D
            > E 8+2: E
            < reply 0+26 #0: "Hell\r\n"
            < reply 26+19 #1: streamed array: (integer) 1, array of 1 [(integer) 2]
            < reply 45+18 #2: streamed map: k, streamed set
            < reply 63+8 #3: ""
            < reply 71+7 #4: streamed array
            "#,
        ),
        (
            "nested",
            vec![client("A\n"), server("*2\r\n*2\r\n*1\r\n:1\r\n:2\r\n*2\r\n:3\r\n*0\r\n")],
            r#"
            > A 0+2: A
            < reply 0+32 #0: array of 2: array of 2 [array of 1 [(integer) 1], (integer) 2], array of 2 [(integer) 3, array of 0]
            "#,
        ),
        (
            "cut inside of a nested array",
            vec![client("A\n"), server("*2\r\n*9\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:10\r\n")],
            r#"
            > A 0+2: A
            < reply 0+49 #0: array of 2: array of 9 [(integer) 1, (integer) 2, (integer) 3, (integer) 4, (integer) 5, (integer) 6, …], …
            "#,
        ),
        (
            "an announced length is not believed",
            vec![
                client("A\n"),
                server("*2147483647\r\n:1\r\n*4294967295\r\n%2147483647\r\n"),
                ends(Server, Ending::Reset),
            ],
            r#"
            > A 0+2: A
            < reply 0+43 incomplete (the connection was reset inside it) #0: array of 2147483647: (integer) 1, array of 4294967295 [map of 2147483647]
            "#,
        ),
        (
            "publish and subscribe, RESP2",
            vec![
                client("SUBSCRIBE a b\r\n"),
                server(
                    "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n",
                ),
                client("PSUBSCRIBE p*\r\nPING\r\nUNSUBSCRIBE\r\n"),
                server(
                    "*3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:3\r\n*4\r\n$8\r\npmessage\r\n$2\r\np*\r\n$1\r\np\r\n$2\r\nhi\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n",
                ),
                server("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n"),
                client("UNSUBSCRIBE\r\nPUNSUBSCRIBE p* q\r\nGET k\r\n"),
                server(
                    "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n*3\r\n$12\r\npunsubscribe\r\n$2\r\np*\r\n:0\r\n*3\r\n$12\r\npunsubscribe\r\n$1\r\nq\r\n:0\r\n$1\r\nv\r\n",
                ),
            ],
            r#"
            > SUBSCRIBE 0+15: SUBSCRIBE a b
            < reply 0+30 #0: array of 3: "subscribe", "a", (integer) 1
            < reply 30+30 #0: array of 3: "subscribe", "b", (integer) 2
            < push 60+32: array of 3: "message", "a", "hi"
            > PSUBSCRIBE 15+15: PSUBSCRIBE p*
            > PING 30+6: PING
            > UNSUBSCRIBE 36+13: UNSUBSCRIBE
            < reply 92+33 #1: array of 3: "psubscribe", "p*", (integer) 3
            < push 125+41: array of 4: "pmessage", "p*", "p", "hi"
            < reply 166+20 #2: array of 2: "pong", ""
            < reply 186+33 #3: array of 3: "unsubscribe", "a", (integer) 2
            < reply 219+33 #3: array of 3: "unsubscribe", "b", (integer) 1
            > UNSUBSCRIBE 49+13: UNSUBSCRIBE
            > PUNSUBSCRIBE 62+19: PUNSUBSCRIBE p* q
            > GET 81+7: GET k
            < reply 252+31 #4: array of 3: "unsubscribe", (nil), (integer) 1
            < reply 283+35 #5: array of 3: "punsubscribe", "p*", (integer) 0
            < reply 318+34 #5: array of 3: "punsubscribe", "q", (integer) 0
            < reply 352+7 #6: "v"
            "#,
        ),
        (
            "publish and subscribe, RESP3",
            vec![
                client("HELLO 3\r\n"),
                server("%1\r\n$5\r\nproto\r\n:3\r\n"),
                client("GET k\r\nSUBSCRIBE a b\r\nLRANGE l 0 -1\r\n"),
                server(
                    ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nv\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n",
                ),
            ],
            r#"
            > HELLO 0+9: HELLO 3
            < reply 0+19 #0: map of 1: "proto", (integer) 3
            > GET 9+7: GET k
            > SUBSCRIBE 16+15: SUBSCRIBE a b
            > LRANGE 31+15: LRANGE l 0 -1
            < push 19+32: push of 2: "invalidate", array of 1 ["k"]
            < reply 51+7 #1: "v"
            < push 58+30 #2: push of 3: "subscribe", "a", (integer) 1
            < push 88+32: push of 3: "message", "a", "hi"
            < push 120+30 #2: push of 3: "subscribe", "b", (integer) 2
            < reply 150+32 #3: array of 3: "message", "a", "hi"
            "#,
        ),
        (
            "pushes inside of an aggregate are no elements",
            vec![
                client("HELLO 3\r\nEXEC\r\nPING\r\nEXEC\r\nPING\r\n"),
                server("%1\r\n$5\r\nproto\r\n:3\r\n"),
                server(
                    "*2\r\n>4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$3\r\nset\r\n>1\r\n+x\r\n+OK\r\n>0\r\n%1\r\n>2\r\n+invalidate\r\n*1\r\n$1\r\nx\r\n+k\r\n>2\r\n+message\r\n*0\r\n$1\r\n1\r\n+PONG\r\n*?\r\n>2\r\n+message\r\n:1\r\n:2\r\n.\r\n+PONG\r\n",
                ),
            ],
            r#"
            > HELLO 0+9: HELLO 3
            > EXEC 9+6: EXEC
            > PING 15+6: PING
            > EXEC 21+6: EXEC
            > PING 27+6: PING
            < reply 0+19 #0: map of 1: "proto", (integer) 3
            < reply 19+123 #1: array of 2: push of 4 ["pmessage", "*", "c", "set"], push of 1 [x, …], …
            < reply 142+7 #2: PONG
            < reply 149+29 #3: streamed array: push of 2 [message, (integer) 1], (integer) 2
            < reply 178+7 #4: PONG
            "#,
        ),
        (
            "the confirmation of a subscription inside of EXEC is its element",
            vec![
                client("HELLO 3\r\nMULTI\r\nSUBSCRIBE a\r\nUNSUBSCRIBE\r\nEXEC\r\n"),
                server("%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n"),
                server(
                    "*2\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n+more\r\n",
                ),
            ],
            r#"
            > HELLO 0+9: HELLO 3
            > MULTI 9+7: MULTI
            > SUBSCRIBE 16+13: SUBSCRIBE a
            > UNSUBSCRIBE 29+13: UNSUBSCRIBE
            > EXEC 42+6: EXEC
            < reply 0+19 #0: map of 1: "proto", (integer) 3
            < reply 19+5 #1: OK
            < reply 24+9 #2: QUEUED
            < reply 33+9 #3: QUEUED
            < reply 42+67 #4: array of 2: push of 3 ["subscribe", "a", (integer) 1], push of 3 ["unsubscribe", "a", …], …
            < reply 109+7: more
            "#,
        ),
        (
            "commands that should be silent are refused, in a pipeline",
            vec![
                client("CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\nREPLCONF ACK 1\r\nGET b\r\n"),
                server("-NOAUTH a\r\n-NOAUTH b\r\n-NOAUTH c\r\n-NOAUTH d\r\n-NOAUTH e\r\n"),
                client("AUTH x\r\n"),
                server("+OK\r\n"),
            ],
            r#"
            > CLIENT 0+19: CLIENT REPLY SKIP
            > SET 19+9: SET a 1
            > GET 28+7: GET a
            > REPLCONF 35+16: REPLCONF ACK 1
            > GET 51+7: GET b
            < reply 0+11 failed NOAUTH: (error) NOAUTH a
            < reply 11+11 failed NOAUTH: (error) NOAUTH b
            < reply 22+11 failed NOAUTH: (error) NOAUTH c
            < reply 33+11 failed NOAUTH: (error) NOAUTH d
            < reply 44+11 failed NOAUTH: (error) NOAUTH e
            > AUTH 58+8: AUTH (redacted)
            < reply 55+5 #5: OK
            "#,
        ),
        (
            "a reply that its command cannot get shows that something was missed",
            vec![
                client("INCR n\r\nGET k\r\n"),
                server(":1\r\n+OK\r\n"),
                client("PING\r\n"),
                server("$1\r\nv\r\n+PONG\r\n"),
            ],
            r#"
            > INCR 0+8: INCR n
            > GET 8+7: GET k
            < reply 0+4 #0: (integer) 1
            < reply 4+5: OK
            > PING 15+6: PING
            < reply 9+7: "v"
            < reply 16+7: PONG
            "#,
        ),
        (
            "a form that fits one command alone ends the doubt about lost replies",
            vec![
                client("SET a 1\r\nGET b\r\nINCR c\r\nSET d 1\r\nINCR e\r\nGET f\r\n"),
                gap(Server, 10),
                server("+OK\r\n:2\r\n:3\r\n$1\r\nv\r\n"),
            ],
            r#"
            > SET 0+9: SET a 1
            > GET 9+7: GET b
            > INCR 16+8: INCR c
            > SET 24+9: SET d 1
            > INCR 33+8: INCR e
            > GET 41+7: GET f
            < reply 10+5: OK
            < reply 15+4: (integer) 2
            < reply 19+4 #4: (integer) 3
            < reply 23+7 #5: "v"
            "#,
        ),
        (
            "behind a hole that follows two turns, one turn is no proof",
            vec![
                client("PING\r\n"),
                server("+PONG\r\n"),
                client("PING\r\n"),
                server("+PONG\r\n"),
                gap(Client, 27),
                server("$3\r\nold\r\n"),
                client("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
                server("$3\r\nnew\r\n"),
            ],
            r#"
            > PING 0+6: PING
            < reply 0+7 #0: PONG
            > PING 6+6: PING
            < reply 7+7 #1: PONG
            < reply 14+9 [request-missing]: "old"
            > GET 39+20: GET k
            < reply 23+9: "new"
            "#,
        ),
        (
            "an answer to a lost command is not that of a later one",
            vec![
                client("PING\r\n"),
                server("+PONG\r\n"),
                client("PING\r\n"),
                server("+PONG\r\n"),
                client("PING\r\n"),
                server("+PONG\r\n"),
                client("PING\r\n"),
                server("+PONG\r\n"),
                client("PING\r\n"),
                server("+PONG\r\n"),
                gap(Client, 27),
                server("$3\r\nold\r\n"),
                client("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
                server("$3\r\nnew\r\n"),
            ],
            r#"
            > PING 0+6: PING
            < reply 0+7 #0: PONG
            > PING 6+6: PING
            < reply 7+7 #1: PONG
            > PING 12+6: PING
            < reply 14+7 #2: PONG
            > PING 18+6: PING
            < reply 21+7 #3: PONG
            > PING 24+6: PING
            < reply 28+7 #4: PONG
            < reply 35+9 [request-missing]: "old"
            > GET 57+20: GET k
            < reply 44+9 #5: "new"
            "#,
        ),
        (
            "subscribing is refused",
            vec![
                client("SUBSCRIBE a b\r\nPING\r\nSUBSCRIBE\r\n"),
                server("-NOPERM no\r\n+PONG\r\n-ERR wrong number\r\n"),
            ],
            r#"
            > SUBSCRIBE 0+15: SUBSCRIBE a b
            > PING 15+6: PING
            > SUBSCRIBE 21+11: SUBSCRIBE
            < reply 0+12 failed NOPERM #0: (error) NOPERM no
            < reply 12+7 #1: PONG
            < reply 19+19 failed ERR #2: (error) ERR wrong number
            "#,
        ),
        (
            "subscribing inside of MULTI leaves the replies behind EXEC in doubt",
            vec![
                client("MULTI\r\nGET k\r\nSUBSCRIBE a b\r\nEXEC\r\nPING\r\n"),
                server(
                    "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\nv\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n+PONG\r\n",
                ),
            ],
            r#"
            > MULTI 0+7: MULTI
            > GET 7+7: GET k
            > SUBSCRIBE 14+15: SUBSCRIBE a b
            > EXEC 29+6: EXEC
            > PING 35+6: PING
            < reply 0+5 #0: OK
            < reply 5+9 #1: QUEUED
            < reply 14+9 #2: QUEUED
            < reply 23+41 #3: array of 2: "v", array of 3 ["subscribe", "a", (integer) 1]
            < reply 64+30: array of 3: "subscribe", "b", (integer) 2
            < reply 94+7: PONG
            "#,
        ),
        (
            "monitor",
            vec![
                client("MONITOR\r\n"),
                server("+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n"),
                client("PING\r\nMONITOR\r\nRESET\r\n"),
                server("+PONG\r\n+1339518083.107413 [0 127.0.0.1:60866] \"PING\"\r\n+RESET\r\n"),
            ],
            r#"
            > MONITOR 0+9: MONITOR
            < reply 0+5 #0: OK
            < push 5+51: 1339518083.107412 [0 127.0.0.1:60866] "keys" "*"
            > PING 9+6: PING
            > MONITOR 15+9: MONITOR
            > RESET 24+7: RESET
            < reply 56+7 #1: PONG
            < push 63+47: 1339518083.107413 [0 127.0.0.1:60866] "PING"
            < reply 110+8 #3: RESET
            "#,
        ),
        (
            "a monitor that asks to monitor is not answered",
            vec![
                client("MONITOR\r\nMONITOR\r\nUNSUBSCRIBE\r\nPING\r\n"),
                server("+OK\r\n>3\r\n+unsubscribe\r\n_\r\n:0\r\n+PONG\r\n"),
            ],
            r#"
            > MONITOR 0+9: MONITOR
            > MONITOR 9+9: MONITOR
            > UNSUBSCRIBE 18+13: UNSUBSCRIBE
            > PING 31+6: PING
            < reply 0+5 #0: OK
            < push 5+25 #2: push of 3: unsubscribe, (nil), (integer) 0
            < reply 30+7 #3: PONG
            "#,
        ),
        (
            "a reply that cannot be ends pairing",
            vec![client("SUBSCRIBE a\r\nPING\r\n"), server(":5\r\n+PONG\r\n")],
            r#"
            > SUBSCRIBE 0+13: SUBSCRIBE a
            > PING 13+6: PING
            < reply 0+4: (integer) 5
            < reply 4+7: PONG
            "#,
        ),
        (
            "replies switched off and on",
            vec![
                client("CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nECHO 1\r\n"),
                server("+OK\r\n$1\r\n1\r\n"),
                client(
                    "CLIENT REPLY SKIP\r\nECHO 2\r\nECHO 3\r\nCLIENT REPLY SKIP\r\n\r\nECHO 4\r\nCLIENT REPLY SKIP\r\n*0\r\nECHO 5\r\n",
                ),
                server("$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n"),
                client("CLIENT REPLY OFF\r\nRESET\r\nPING\r\n"),
                server("+RESET\r\n+PONG\r\n"),
            ],
            r#"
            > CLIENT 0+18: CLIENT REPLY OFF
            > PING 18+6: PING
            > CLIENT 24+19: CLIENT REPLY SKIP
            > CLIENT 43+17: CLIENT REPLY ON
            > ECHO 60+8: ECHO 1
            < reply 0+5 #3: OK
            < reply 5+7 #4: "1"
            > CLIENT 68+19: CLIENT REPLY SKIP
            > ECHO 87+8: ECHO 2
            > ECHO 95+8: ECHO 3
            > CLIENT 103+19: CLIENT REPLY SKIP
            > ECHO 122+10: ECHO 4
            > CLIENT 132+19: CLIENT REPLY SKIP
            > command 151+4: (no arguments)
            > ECHO 155+8: ECHO 5
            < reply 12+7 #7: "3"
            < reply 19+7 #9: "4"
            < reply 26+7 #12: "5"
            > CLIENT 163+18: CLIENT REPLY OFF
            > RESET 181+7: RESET
            > PING 188+6: PING
            < reply 33+8 #14: RESET
            < reply 41+7 #15: PONG
            "#,
        ),
        (
            "a command that should be silent is refused",
            vec![
                client("CLIENT REPLY OFF\r\n"),
                server("-NOAUTH Authentication required.\r\n"),
                client("PING\r\n"),
                server("+PONG\r\n"),
            ],
            r#"
            > CLIENT 0+18: CLIENT REPLY OFF
            < reply 0+34 failed NOAUTH: (error) NOAUTH Authentication required.
            > PING 18+6: PING
            < reply 34+7 #1: PONG
            "#,
        ),
        (
            "a replica",
            vec![
                client("REPLCONF ACK 3\r\nPSYNC ? -1\r\n"),
                server("\n\n+FULLRESYNC cb54 0\r\n$4\r\nRDB!*1\r\n$4\r\nPING\r\n"),
                client("REPLCONF ACK 4\r\n"),
            ],
            r#"
            > REPLCONF 0+16: REPLCONF ACK 3
            > PSYNC 16+12: PSYNC ? -1
            < reply 0+22 #1: FULLRESYNC cb54 0
            > REPLCONF 28+16: REPLCONF ACK 4
            < opaque 22+22: not parsed
            "#,
        ),
        (
            "a snapshot",
            vec![client("PING\r\nSYNC\r\n"), server("+PONG\r\n\n$4\r\nRDB!x")],
            r#"
            > PING 0+6: PING
            > SYNC 6+6: SYNC
            < reply 0+7 #0: PONG
            < reply 7+5 #1: snapshot of 4 bytes
            < opaque 12+5: not parsed
            "#,
        ),
        (
            "a snapshot that is refused",
            vec![client("SYNC\r\nGET k\r\n"), server("-NOMASTERLINK no\r\n$1\r\nv\r\n")],
            r#"
            > SYNC 0+6: SYNC
            > GET 6+7: GET k
            < reply 0+18 failed NOMASTERLINK #0: (error) NOMASTERLINK no
            < reply 18+7 #1: "v"
            "#,
        ),
        (
            "answered before it is complete",
            vec![
                client("PING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nhe"),
                server("+PONG\r\n-ERR too slow\r\n-ERR gone\r\n"),
                client("llo\r\nPING\r\n"),
                server("+PONG\r\n"),
            ],
            r#"
            > PING 0+6: PING
            < reply 0+7 #0: PONG
            < reply 7+15 failed ERR #1: (error) ERR too slow
            < reply 22+11 failed ERR: (error) ERR gone
            > ECHO 6+25: ECHO hello
            > PING 31+6: PING
            < reply 33+7 #2: PONG
            "#,
        ),
        (
            "the server speaks first",
            vec![server("-DENIED Redis is running in protected mode\r\n"), client("PING\r\n"), server("+PONG\r\n")],
            r#"
            < reply 0+44 failed DENIED: (error) DENIED Redis is running in protected mode
            > PING 0+6: PING
            < reply 44+7 #0: PONG
            "#,
        ),
        (
            "a malformed command and its refusal",
            vec![
                client("PING\r\n*2\r\n$4\r\nECHO\r\n:5\r\nPING\r\n"),
                server("+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n-ERR x\r\n"),
            ],
            r#"
            > PING 0+6: PING
            > command 6+18 malformed (an argument does not begin with $): ECHO then ":5"
            < reply 0+7 #0: PONG
            < reply 7+44 failed ERR #1: (error) ERR Protocol error: expected '$', got ':'
            < reply 51+8 failed ERR: (error) ERR x
            > unparsed 24+6 incomplete (after a malformed message): not parsed
            "#,
        ),
        (
            "a malformed command that the server took",
            vec![client("PING\r\n*1\r\n$4\r\nPINGxxPING\r\n"), server("+PONG\r\n+PONG\r\n+PONG\r\n")],
            r#"
            > PING 0+6: PING
            > command 6+14 malformed (no CR LF behind a bulk): PING
            > PING 20+6: PING
            < reply 0+7 #0: PONG
            < reply 7+7 #1: PONG
            < reply 14+7 #2: PONG
            "#,
        ),
        (
            "a malformed reply",
            vec![client("A\nB\n"), server("*2\r\n:1\r\n:x\r\n+OK\r\n"), client("C\n"), ends(Server, Ending::Lost)],
            r#"
            > A 0+2: A
            > B 2+2: B
            < reply 0+12 malformed (invalid integer) #0: array of 2: (integer) 1, (integer) x
            < reply 12+5 #1: OK
            > C 4+2: C
            "#,
        ),
        (
            "cut off",
            vec![
                client("GET k\r\nSET k"),
                server("$5\r\nhel"),
                ends(Client, Ending::Reset),
                ends(Server, Ending::Lost),
            ],
            r#"
            > GET 0+7: GET k
            > command 7+5 incomplete (the connection was reset inside it): SET "k…" (1 bytes so far)
            < reply 0+7 incomplete (the capture ends inside it) #0: "hel…" (5 bytes)
            "#,
        ),
        (
            "cut off in a line",
            vec![client("GET k\r\n*3\r\n$3\r\nSET\r\n$1"), server("*2\r\n+a\r\n+b")],
            r#"
            > GET 0+7: GET k
            > SET 7+15 incomplete (the stream ended inside it): SET then "$1"
            < reply 0+10 incomplete (the stream ended inside it): array of 2: a then "+b"
            "#,
        ),
        (
            "cut off in a first line",
            vec![client("GET k\r\n*3"), server("+O")],
            r#"
            > GET 0+7: GET k
            > command 7+2 incomplete (the stream ended inside it): "*3"
            < reply 0+2 incomplete (the stream ended inside it) #0: "+O"
            "#,
        ),
        (
            "a hole in a payload",
            vec![
                client("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\nab"),
                gap(Client, 5),
                client("xyz\r\nPING\r\n"),
                server("+OK\r\n+PO"),
                gap(Server, 2),
                server("\r\n"),
            ],
            r#"
            > SET 0+37: SET k "ab…" (10 bytes, 5 missing)
            > PING 37+6: PING
            < reply 0+5 #0: OK
            < reply 5+3 incomplete (bytes of it are missing from the capture) #1: "+PO"
            < unparsed 10+2 incomplete (skipped after a gap): not parsed
            "#,
        ),
        (
            "a hole to the end of a payload",
            vec![
                client("*2\r\n$4\r\nECHO\r\n$3\r\na"),
                gap(Client, 4),
                client("PING\r\n"),
                server("$3\r\n"),
                gap(Server, 5),
                server("+PONG\r\n"),
            ],
            r#"
            > ECHO 0+23: ECHO "a…" (3 bytes, 2 missing)
            > PING 23+6: PING
            < reply 0+9 #0: "…" (3 bytes, 3 missing)
            < reply 9+7 #1: PONG
            "#,
        ),
        (
            "a hole in a command",
            vec![
                client("PING\r\n*2\r\n$3\r\nGET\r\n$"),
                gap(Client, 9),
                client("\r\n$1\r\nx\r\n*1\r\n*1\r\n$4\r\nPING\r\nPING\r\n"),
                server("+PONG\r\n"),
            ],
            r#"
            > PING 0+6: PING
            > GET 6+14 incomplete (bytes of it are missing from the capture): GET then "$"
            > unparsed 29+13 incomplete (skipped after a gap): not parsed
            > PING 42+14: PING
            > PING 56+6: PING
            < reply 0+7 #0: PONG
            "#,
        ),
        (
            "a hole between commands",
            vec![
                client("PING\r\n"),
                gap(Client, 14),
                client("*1\r\n$4\r\nPING\r\n"),
                server("+PONG\r\n+PONG\r\n+PONG\r\n"),
            ],
            r#"
            > PING 0+6: PING
            > PING 20+14: PING
            < reply 0+7 #0: PONG
            < reply 7+7: PONG
            < reply 14+7: PONG
            "#,
        ),
        (
            "a hole in a reply",
            vec![
                client("A\nB\nC\n"),
                server("+OK\r\n*2\r\n$3\r\na"),
                gap(Server, 20),
                server("lo\r\n$9\r\nabc\r\n- item\r\n:5\r\n+OK\r\n"),
                client("D\n"),
                server("+OK\r\n"),
            ],
            r#"
            > A 0+2: A
            > B 2+2: B
            > C 4+2: C
            < reply 0+5 #0: OK
            < reply 5+9 incomplete (bytes of it are missing from the capture) #1: array of 2: "a…" (3 bytes)
            < unparsed 34+21 incomplete (skipped after a gap): not parsed
            < reply 55+4: (integer) 5
            < reply 59+5: OK
            > D 6+2: D
            < reply 64+5: OK
            "#,
        ),
        (
            "a hole behind blank lines",
            vec![client("\r\n"), gap(Client, 3), client("x")],
            r#"
            > blank 0+2: blank lines
            > unparsed 5+1 incomplete (skipped after a gap): not parsed
            "#,
        ),
        (
            "holes one after another",
            vec![
                gap(Server, 3),
                gap(Server, 4),
                server("+OK\r\n"),
                gap(Server, 1),
                gap(Server, 0),
                ends(Server, Ending::Closed),
            ],
            r#"
            < reply 7+5: OK
            "#,
        ),
        (
            "a stream that is joined in the midst begins with the first whole message",
            vec![
                gap(Client, 0),
                gap(Server, 0),
                client("of a value\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n"),
                server("end\r\n+OK\r\n"),
            ],
            r#"
            > unparsed 0+12 incomplete (skipped after a gap): not parsed
            > GET 12+20: GET k
            > PING 32+14: PING
            < unparsed 0+5 incomplete (skipped after a gap): not parsed
            < reply 5+5: OK
            "#,
        ),
        (
            "where it is joined between two messages, an earlier command may wait until the client turns",
            vec![
                gap(Client, 0),
                gap(Server, 0),
                client("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
                server("$-1\r\n"),
                gap(Server, 0),
                gap(Client, 0),
                client("PING\r\n"),
                server("+PONG\r\n"),
            ],
            r#"
            > GET 0+20: GET k
            < reply 0+5: (nil)
            > PING 20+6: PING
            < reply 5+7: PONG
            "#,
        ),
        (
            "a hole brings a fault to light",
            vec![client("A\nB\n"), server("$1\r\nax"), gap(Server, 1), server("+OK\r\n")],
            r#"
            > A 0+2: A
            > B 2+2: B
            < reply 0+7 malformed (no CR LF behind a bulk) #0: "a"
            < reply 7+5 #1: OK
            "#,
        ),
        (
            "a hole brings a fault to light, another follows",
            vec![client("A\nB\n"), server("$1\r\nax"), gap(Server, 1), gap(Server, 2), server("+OK\r\n")],
            r#"
            > A 0+2: A
            > B 2+2: B
            < reply 0+7 malformed (no CR LF behind a bulk) #0: "a"
            < reply 9+5: OK
            "#,
        ),
        (
            "a hole brings a fault of the client to light, another follows",
            vec![client("*1\r\n$1\r\nax"), gap(Client, 1), gap(Client, 2)],
            r#"
            > command 0+11 malformed (no CR LF behind a bulk): a
            "#,
        ),
        (
            "long lines behind a hole",
            vec![
                gap(Server, 1),
                server(format!("+{0}\r\n+{0}\r\n", "x".repeat(100))),
                gap(Client, 1),
                client(format!("*1\r\n$4\r\nPING\r\nECHO {}\r\n", "x".repeat(100))),
            ],
            r#"
            < reply 1+103: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" (100 bytes)
            < reply 104+103: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" (100 bytes)
            > PING 1+14: PING
            > ECHO 15+107: ECHO "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" (100 bytes)
            "#,
        ),
        (
            "a hole behind a malformed message",
            vec![client("*x\r\nyz"), gap(Client, 9), client("*1\r\n$4\r\nPING\r\n")],
            r#"
            > command 0+4 malformed (invalid count of arguments): "*x"
            > unparsed 4+2 incomplete (after a malformed message): not parsed
            > PING 15+14: PING
            "#,
        ),
        (
            "a hole in what is opaque",
            vec![client("SYNC\r\n"), server("$4\r\nRD"), gap(Server, 9), server("more")],
            r#"
            > SYNC 0+6: SYNC
            < reply 0+4 #0: snapshot of 4 bytes
            < opaque 4+15: not parsed
            "#,
        ),
    ];
    let mut failed = 0;
    for (name, steps, expected) in &cases {
        let messages = say(&whole(steps));
        let expected: String = expected
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.is_empty())
            .flat_map(|line| [line, "\n"])
            .collect();
        if messages != expected {
            println!("=== {name}\n{messages}");
            failed += 1;
        }
        assert_same_for_every_cut(name, steps);
    }
    assert_eq!(failed, 0, "of {} conversations", cases.len());
}
