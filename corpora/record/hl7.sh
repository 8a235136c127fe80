# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# HL7 version 2 over MLLP: the server and the client of Python's `hl7`, and a plain socket.

hl7_dissector=hl7

record_hl7() {
    require "$1" python3
    choose_port 2575
    venv hl7==0.4.5
    cat >"$stage/hl7d.py" <<'PY'
import asyncio, sys
from hl7.mllp import InvalidBlockError, start_hl7_server
async def answer(reader, writer):
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            kind = str(message.segment("MSH")[9])
            writer.writemessage(message.create_ack("AA" if kind.startswith("ADT") else "AR"))
            await writer.drain()
    except (asyncio.IncompleteReadError, InvalidBlockError, ConnectionError):
        pass
    writer.close()
async def main():
    async with await start_hl7_server(answer, host="127.0.0.1", port=int(sys.argv[1]), encoding="utf-8") as server:
        await server.serve_forever()
asyncio.run(main())
PY
    serve "$python" "$stage/hl7d.py" "$port"
    recorded_with "Python's hl7 0.4.5"
    local one='MSH|^~\\&|SHOP|A|B|C|20240229||ADT^A01|1|P|2.5\rPID|1||7^^^A||Doe^Ann\r' two='MSH|^~\\&|SHOP|A|B|C|20240229||ORU^R01|2|P|2.5\rOBX|1|ST|x||a~b\r'
    begin messages.pcap
    client "$python" - "$port" <<'PY'
import asyncio, sys
from hl7.mllp import open_hl7_connection
async def main():
    reader, writer = await open_hl7_connection("127.0.0.1", int(sys.argv[1]), encoding="utf-8")
    for kind in "ADT^A01", "ORU^R01", "ADT^A08":
        writer.writemessage(f"MSH|^~\\&|SHOP|A|B|C|20240229||{kind}|1|P|2.5\rPID|1||7^^^A||M\u00fcller^Ann\r")
        await reader.readmessage()
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
PY
    dialogue "\\x0b$one\\x1c\\r\\x0b$two\\x1c\\r" '\x1c\r\x0b.*\x1c\r' "\\x0b$one\\x1c" '' '\r' '\x1c\r'
    dialogue "$one\\x1c\\r" EOF
    cut_off '\13MSH|^~'
    end 4 'hl7: messages and acknowledgements (AA, AR) in UTF-8; plain socket: two messages in one write, one cut inside its end; no start of a block, **cut off on purpose**' 'tcp.payload contains "MSA|AA"' 'tcp.payload contains "MSA|AR"'
}
