# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# Modbus/TCP: pymodbus at both ends, and a plain socket.

modbus_dissector=mbtcp

record_modbus() {
    require "$1" python3
    choose_port 502
    venv pymodbus==3.6.9
    cat >"$stage/modbusd.py" <<'PY'
import sys
from pymodbus.server import StartTcpServer
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
block = lambda: ModbusSequentialDataBlock(1, [7] * 50)
StartTcpServer(context=ModbusServerContext(ModbusSlaveContext(di=block(), co=block(), hr=block(), ir=block()), True), address=("127.0.0.1", int(sys.argv[1])),
               identity=ModbusDeviceIdentification(info_name={"VendorName": "Shop", "ProductCode": "P", "MajorMinorRevision": "1"}))
PY
    serve "$python" "$stage/modbusd.py" "$port"
    recorded_with "pymodbus 3.6.9"
    modbus_functions
    modbus_plain_socket
}

modbus_functions() {
    begin functions.pcap
    client "$python" - "$port" <<'PY'
import sys
from pymodbus.client import ModbusTcpClient
from pymodbus.mei_message import ReadDeviceInformationRequest
c = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]))
c.connect()
c.read_coils(0, 10, slave=1)
c.read_discrete_inputs(0, 3, slave=1)
c.read_holding_registers(0, 4, slave=1)
c.read_input_registers(2, 2, slave=7)
c.write_coil(1, True, slave=1)
c.write_register(1, 513, slave=1)
c.write_coils(0, [True] * 9, slave=1)
c.write_registers(0, [1, 2, 3], slave=1)
c.mask_write_register(1, 0xF2, 0x25, slave=1)
c.readwrite_registers(read_address=0, read_count=2, write_address=3, values=[9], slave=1)
c.execute(ReadDeviceInformationRequest(slave=1))
c.diag_query_data(b"\x12\x34", slave=1)
c.close()
c.connect()
c.read_holding_registers(90, 10, slave=1)
c.read_holding_registers(0, 125, slave=1)
c.close()
PY
    end 2 'pymodbus: reads and writes of coils and registers, a masked write, device identification, diagnostics; exceptions' 'modbus.func_code == 3' 'modbus.func_code == 43' 'modbus.exception_code == 2'
}

modbus_plain_socket() {
    begin plain-socket.pcap
    # Three requests in one write; one cut in its header; an unknown function; a protocol identifier that is not 0.
    dialogue '\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01\x00\x02\x00\x00\x00\x06\x01\x03\x00\x01\x00\x01\x00\x03\x00\x00\x00\x06\x01\x01\x00\x00\x00\x08' '\x00\x03\x00\x00' \
        '\x00\x04\x00\x00\x00' '' '\x06\x01\x03\x00' '' '\x00\x00\x01' '\x00\x04\x00\x00'
    dialogue '\x00\x05\x00\x00\x00\x02\x01\x63' ''
    cut_off '\0\6\0\0\0\6\1\3'
    end 3 'plain socket: three requests in one write, one cut in its header and in its body; an unknown function, which is not answered; **cut off on purpose**' 'mbtcp.trans_id == 3'
}
