"""A GET through the C ABI: python3 example.py LIBRARY URL"""
import ctypes as c
import sys

U32, U64, I32 = c.c_uint32, c.c_uint64, c.c_int32


class Text(c.Structure):
    _fields_ = [("ptr", c.c_char_p), ("len", U32), ("reserved", U32)]


class Event(c.Structure):
    _fields_ = [("request", U64), ("user", U64), ("kind", U32), ("flags", U32), ("code", I32), ("status", U32), ("value", U64)]


th, url = c.CDLL(sys.argv[1]), sys.argv[2].encode()
assert th.th_abi_version() >> 16 == 1 and th.th_struct_size(6) == c.sizeof(Event)


def zeroed(which):  # A structure that begins with its size; what is zero is the default.
    size = th.th_struct_size(which)
    return bytearray(size.to_bytes(4, sys.byteorder)).ljust(size, b"\0")


config, request = zeroed(4), zeroed(5)
request[56:56 + c.sizeof(Text)] = bytes(Text(url, len(url)))  # ThRequest.url, on 64 bits
client, id, event, got, body = U32(), U64(), Event(), U32(), b""
piece = c.create_string_buffer(4096)
pointer = lambda structure: (c.c_char * len(structure)).from_buffer(structure)
assert th.th_client_create(pointer(config), U64(0), c.byref(client)) == 0
assert th.th_submit(client, pointer(request), U64(0), c.byref(id)) == 0
while event.kind != 4:  # TH_EVENT_DONE
    th.th_poll(client, c.byref(event), 1, 100)
    while th.th_body_read(client, id, piece, len(piece), 0, c.byref(got)) == 0:
        body += piece.raw[:got.value]
print(event.status, len(body), "bytes")
th.th_client_destroy(client, 1000)
sys.exit(event.code != 0)
