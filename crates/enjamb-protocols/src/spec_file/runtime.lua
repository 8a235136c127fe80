
-- From here on the text is the same for all protocols. It reads messages by the table SPEC.
--
-- Integers of 64 bits are numbers of Lua here, so names and lengths above 2^53 are not exact.

local protocol = Proto(SPEC.name, SPEC.about)
local used = {}
local fields = {}

-- Makes a field, under the name of the protocol and, if that is taken, also under its message's.
local function make_field(layout, name, kind, names, label)
    local key = kind .. ":" .. label
    for value, text in pairs(names or {}) do
        key = key .. ":" .. value .. "=" .. text
    end
    local abbreviation = SPEC.name .. "." .. name
    if used[abbreviation] and used[abbreviation].key ~= key then
        abbreviation = SPEC.name .. "." .. layout .. "." .. name
    end
    if used[abbreviation] then
        if used[abbreviation].key == key then return used[abbreviation].field end
        abbreviation = abbreviation .. "_" .. #fields
    end
    local field
    if kind == "string" or kind == "bytes" then
        field = ProtoField[kind](abbreviation, label)
    elseif kind == "uint64" or kind == "int64" or not names or next(names) == nil then
        field = ProtoField[kind](abbreviation, label, base.DEC)
    else
        field = ProtoField[kind](abbreviation, label, base.DEC, names)
    end
    used[abbreviation] = { key = key, field = field }
    fields[#fields + 1] = field
    return field
end

local kind_field = ProtoField.string(SPEC.name .. ".message_kind", "Kind")
used[SPEC.name .. ".message_kind"] = { key = "", field = kind_field }
fields[1] = kind_field
for _, layout in ipairs(SPEC.layouts) do
    for _, field in ipairs(layout.fields) do
        if field.name ~= "" and not field.secret then
            local kind = field.form
            if kind == "integer" then
                kind = (field.signed and "int" or "uint") .. field.width * 8
            elseif kind == "varint" then
                kind = field.signed and "int64" or "uint64"
            end
            field.field = make_field(layout.name, field.name, kind, field.names, field.name)
        end
        for _, bits in ipairs(field.bits or {}) do
            bits.field = make_field(layout.name, bits.name, bits.width > 32 and "uint64" or "uint32", bits.names, bits.name)
        end
    end
end
protocol.fields = fields
local malformed =
    ProtoExpert.new(SPEC.name .. ".malformed", "The message is malformed", expert.group.MALFORMED, expert.severity.ERROR)
protocol.experts = { malformed }

local function holds(tests, values)
    for _, test in ipairs(tests or {}) do
        local value = values[test.slot]
        if value == nil or (test.values[value] == true) == test.negated then return false end
    end
    return true
end

-- Returns whether a condition of the meaning holds: always, for some kinds, or for some values.
local function means(condition, kind, values)
    if condition == nil or condition == true then return condition == true end
    if condition.kinds then return condition.kinds[kind] == true end
    return holds(condition, values)
end

local function integer(range, field)
    if field.width == 8 then
        if field.signed then
            return (field.little and range:le_int64() or range:int64()):tonumber()
        end
        return (field.little and range:le_uint64() or range:uint64()):tonumber()
    end
    if field.signed then return field.little and range:le_int() or range:int() end
    return field.little and range:le_uint() or range:uint()
end

local function bits_of(value, bits)
    return math.floor(value / 2 ^ bits.shift) % 2 ^ bits.width
end

local function large(value)
    if value < 0 then return Int64.new(value % 2 ^ 32, math.floor(value / 2 ^ 32) % 2 ^ 32) end
    return UInt64.new(value % 2 ^ 32, math.floor(value / 2 ^ 32))
end

local function named(names, value)
    return names and names[value] and (" (" .. names[value] .. ")") or ""
end

-- Adds a field to the tree.
local function show(tree, field, range, value, text_length)
    -- The length in front of a string, and padding.
    if field.name == "" then return end
    if field.secret then
        tree:add(range, field.name .. ": (secret)")
    elseif field.form == "integer" then
        local item = field.little and tree:add_le(field.field, range) or tree:add(field.field, range)
        if field.width == 8 then item:append_text(named(field.names, value)) end
        for _, bits in ipairs(field.bits or {}) do
            local part = bits_of(value, bits)
            local added = bits.width > 32 and large(part) or part
            item:add(bits.field, range, added)
        end
    elseif field.form == "varint" then
        local number = large(value)
        if field.signed and value >= 0 then number = Int64.new(value % 2 ^ 32, math.floor(value / 2 ^ 32)) end
        tree:add(field.field, range, number):append_text(named(field.names, value))
    elseif field.field and text_length > 0 then
        local own = range(0, text_length)
        if field.form == "string" then
            tree:add(field.field, range, own:string(ENC_UTF_8))
        else
            tree:add(field.field, own)
        end
    end
end

-- Reads a message. Returns a table: `more` (with `needed`, the length that is certainly needed), or
-- `stop`, the end of the message, and perhaps `reason`, if it is malformed. Without `stop`, the end
-- of a malformed message is not known.
local function read(tvb, start, number, tree)
    local length = tvb:len()
    local first_layout = SPEC.layouts[number]
    local layout = first_layout
    local limit = start + layout.max
    local at, frame, stop = start, start, nil
    local values, first = {}, nil

    local function more(needed)
        -- The length of a message with more frames is not known before its last one.
        local exact = stop ~= nil and not layout.continues
        return { more = true, needed = stop or needed, exact = exact, values = first or values }
    end
    local function bad(reason)
        if stop and stop > length then return more() end
        return { reason = reason, stop = stop, values = first or values }
    end
    local function keep(field, value)
        if field.slot then values[field.slot] = value end
        for _, bits in ipairs(field.bits or {}) do
            if bits.slot then values[bits.slot] = value and bits_of(value, bits) end
        end
    end

    while true do
        for index, field in ipairs(layout.fields) do
            local size, text_length
            local present = holds(field.when, values) and not (field.optional and stop == at)
            if present then
                if field.form == "integer" then
                    size = field.width
                elseif field.form == "varint" then
                    size = 1
                    while true do
                        if size > 10 then return bad("a varint has more than 64 bits") end
                        if stop and at + size > stop then return bad("a field goes beyond the end of its message") end
                        if at + size > length then return more(at + size) end
                        if tvb(at + size - 1, 1):uint() < 128 then break end
                        size = size + 1
                    end
                elseif field.align then
                    size = (field.align - (at - frame) % field.align) % field.align
                elseif field.size then
                    size = field.size
                elseif field.rest then
                    size = stop - at - field.rest
                    if size < 0 then return bad("a field goes beyond the end of its message") end
                elseif field.delimiter then
                    local count = #field.delimiter
                    size = count
                    while true do
                        if stop and at + size > stop then return bad("a field goes beyond the end of its message") end
                        if at + size > limit or size - count > field.max then
                            return bad("a field is longer than its maximum")
                        end
                        if at + size > length then return more(at + size) end
                        local found = true
                        for letter = 1, count do
                            if tvb(at + size - count + letter - 1, 1):uint() ~= field.delimiter[letter] then
                                found = false
                                break
                            end
                        end
                        if found then break end
                        size = size + 1
                    end
                    text_length = size - count
                else
                    local value = values[field.length.slot]
                    if value ~= nil then
                        size = value * field.length.times + field.length.add
                        if size < 0 then return bad("a length is negative") end
                    elseif field.optional then
                        present = false
                    else
                        return bad("the length of a field is missing")
                    end
                end
            end
            if not present then
                keep(field, nil)
            else
                text_length = text_length or size
                if stop and at + size > stop then return bad("a field goes beyond the end of its message") end
                if field.max and text_length > field.max then return bad("a field is longer than its maximum") end
                if at + size > limit then return bad("it is longer than its maximum") end
                if at + size > length then return more(at + size) end
                local value
                if size > 0 then
                    local range = tvb(at, size)
                    if field.form == "integer" then
                        value = integer(range, field)
                    elseif field.form == "varint" then
                        value = 0
                        for byte = size - 1, 0, -1 do
                            value = value * 128 + range(byte, 1):uint() % 128
                        end
                        if field.signed then
                            value = value % 2 == 0 and value / 2 or -(value + 1) / 2
                        end
                    elseif field.constant then
                        for byte = 1, size do
                            if range(byte - 1, 1):uint() ~= field.constant[byte] then return bad(field.fault) end
                        end
                    end
                    if tree then show(tree, field, range, value, text_length) end
                end
                if field.words then
                    value = field.words[text_length > 0 and tvb:raw(at, text_length) or ""] or -1
                end
                if not first and tree and layout.subject == index and size > 0 and field.form == "string" and text_length > 0 then
                    tree:append_text(" " .. tvb(at, text_length):string(ENC_UTF_8))
                end
                if field.form == "integer" or field.form == "varint" or field.words then keep(field, value) end
                if field.equals and value ~= field.equals then return bad(field.fault) end
                at = at + size
                if field.stop then
                    local counted = field.stop.bits and bits_of(value, field.bits[field.stop.bits]) or value
                    local added = counted * field.stop.times + field.stop.add
                    local place = (field.stop.whole and frame or at) + added
                    if added < 0 or place < at then return bad("its length is smaller than its header") end
                    if place > limit then return bad("it is longer than its maximum") end
                    stop = place
                end
            end
        end
        if at > limit then return bad("it is longer than its maximum") end
        if stop and stop > length then return more() end
        at = stop or at
        if first and layout.id and first_layout.id and values[layout.id] ~= first[first_layout.id] then
            stop = stop and at
            return bad("a fragment has the id of another message")
        end
        if layout.continues and holds(layout.continues.when, values) then
            first = first or values
            values = {}
            layout = SPEC.layouts[layout.continues.with]
            frame = at
            stop = nil
        else
            return { stop = at, values = first or values }
        end
    end
end

local function kind_of(layout, values)
    local value = layout.kind and values[layout.kind.slot]
    return value and layout.kind.names[value] or layout.name
end

local is_port = {}
for _, port in ipairs(SPEC.ports) do is_port[port] = true end
-- The state of each connection; and for each packet, the layouts of the messages that end in it, in
-- their order. A packet that is dissected again gets the same layouts. The lengths of what is
-- dissected are not the same the next time, so they are no help.
local connections, seen = {}, {}

function protocol.init()
    connections, seen = {}, {}
end

local function side_of(pinfo)
    if is_port[pinfo.dst_port] then return "client" end
    if is_port[pinfo.src_port] then return "server" end
    return pinfo.match_uint == pinfo.dst_port and "client" or "server"
end

-- The number of the TCP stream is not known in the first pass over a capture, so a connection is
-- found by its addresses and ports.
local function connection_of(pinfo, side)
    local client = tostring(pinfo.src) .. " " .. pinfo.src_port
    local server = tostring(pinfo.dst) .. " " .. pinfo.dst_port
    if side == "server" then client, server = server, client end
    local key = client .. " " .. server
    connections[key] = connections[key] or { state = 1, past = {} }
    return connections[key]
end

-- Changes the state behind a message.
local function change(connection, side, number, kind, values)
    connection.past[side] = true
    if type(connection.state) ~= "number" then return end
    for _, transition in ipairs(SPEC.states[connection.state].on) do
        if (not transition.from or transition.from == side)
            and (not transition.kinds or transition.kinds[kind])
            and transition.when[number] and holds(transition.when[number], values)
        then
            connection.state = transition.target
            connection.past = {}
            return
        end
    end
end

-- Shows the message from `start` to `stop`.
local function message(tvb, pinfo, tree, start, stop, number, result)
    local layout = SPEC.layouts[number]
    local kind = kind_of(layout, result.values)
    local branch = tree:add(protocol, tvb(start, stop - start), SPEC.name .. ": " .. kind)
    branch:add(kind_field, tvb(start, stop - start), kind):set_generated()
    local code = layout.code and result.values[layout.code.slot]
    local info = kind
    if code and means(layout.failed, kind, result.values) then
        info = info .. " " .. (layout.code.names[code] or string.format("%d", code))
    end
    read(tvb, start, number, branch)
    if result.reason then
        branch:add_proto_expert_info(malformed, result.reason)
        info = info .. " [malformed]"
    end
    local comma = pinfo.private[SPEC.name .. "_messages"] == tostring(pinfo.number) and ", " or ""
    if comma == "" then pinfo.cols.info:set("") end
    pinfo.private[SPEC.name .. "_messages"] = tostring(pinfo.number)
    pinfo.cols.info:append(comma .. info)
    pinfo.cols.info:fence()
    return kind
end

local function begin(tvb, pinfo)
    pinfo.cols.protocol:set(SPEC.name)
    return tvb:len() > 0 and tvb:len() == tvb:reported_len()
end

-- All messages have a header of fixed size with the length in it.
local function fixed_header(tvb, pinfo, tree)
    if not begin(tvb, pinfo) then return 0 end
    local number = SPEC.states[1][side_of(pinfo)].first
    local function length_of(buffer, _, offset)
        local result = read(buffer, offset, number)
        local stop = result.more and result.needed or result.stop
        -- Nobody knows where a message without an end ends: the rest is part of it.
        if not stop then return buffer:len() - offset end
        return stop - offset
    end
    local function dissect(buffer, info)
        local result = read(buffer, 0, number)
        if result.more then result = { reason = "it ends inside a field", values = result.values } end
        message(buffer, info, tree, 0, buffer:len(), number, result)
        return buffer:len()
    end
    dissect_tcp_pdus(tvb, tree, SPEC.header, length_of, dissect)
    return tvb:len()
end

local function remember(packet, layout)
    seen[packet] = seen[packet] or { next = 1 }
    table.insert(seen[packet], layout)
end

-- Returns the layout of the next message of a packet that is dissected again.
local function recall(packet)
    local layouts = seen[packet]
    return layouts and layouts[layouts.next]
end

local function pass(packet)
    local layouts = seen[packet]
    if layouts then layouts.next = layouts.next % #layouts + 1 end
    return layouts == nil or layouts.next == 1
end

-- Messages of any form, in any state. A message that is not whole asks for more bytes: as many as
-- are certainly missing, if its end is known, and one more segment otherwise.
local function any_form(tvb, pinfo, tree)
    if not begin(tvb, pinfo) then return 0 end
    local side, total, offset = side_of(pinfo), tvb:len(), 0
    local connection = connection_of(pinfo, side)
    while offset < total do
        local before = pinfo.visited and recall(pinfo.number) or nil
        local state = before and before.state or connection.state
        if type(state) ~= "number" then
            if pinfo.visited then
                pass(pinfo.number)
            else
                remember(pinfo.number, { state = state })
            end
            local ok, inner = pcall(Dissector.get, state)
            if ok and inner then
                return offset + inner:call(tvb(offset):tvb(), pinfo, tree)
            end
            tree:add(protocol, tvb(offset), SPEC.name .. ": not parsed")
            return total
        end
        local sequence = SPEC.states[state][side]
        local number = before and before.number or (connection.past[side] and sequence.later or sequence.first)
        local result = read(tvb, offset, number)
        if result.more then
            pinfo.desegment_offset = offset
            pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
            if result.needed and result.exact then pinfo.desegment_len = result.needed - total end
            return total
        end
        local stop = result.stop or total
        local kind = message(tvb, pinfo, tree, offset, stop, number, result)
        if pinfo.visited then
            -- What is behind the last message is the beginning of one that ends in another packet.
            if pass(pinfo.number) then return total end
        else
            remember(pinfo.number, { state = state, number = number })
            if result.reason then
                connection.past[side] = true
            else
                change(connection, side, number, kind, result.values)
            end
        end
        offset = stop
    end
    return total
end

protocol.dissector = SPEC.header and fixed_header or any_form
local ports = DissectorTable.get("tcp.port")
for _, port in ipairs(SPEC.ports) do ports:add(port, protocol) end
if #SPEC.ports == 0 then ports:add_for_decode_as(protocol) end
