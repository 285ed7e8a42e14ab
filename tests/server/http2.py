# SPDX-License-Identifier: GPL-2.0-or-later
"""A server's half of HTTP/2 inside Noise records: requests in, answers of any length out."""

import asyncio
import json
import struct

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from .noise import RECORD_MAX, NoiseError


class Gone(Exception):
    """The stream or its connection has ended."""


class Stream:
    """One request, and the way to answer it."""

    def __init__(self, connection, number, headers):
        self.connection, self.number = connection, number
        self.headers = dict(headers)
        self.body = bytearray()
        self.task = None
        self.window = asyncio.Event()
        self.ended = False

    @property
    def method(self):
        return self.headers.get(":method", "")

    @property
    def path(self):
        return self.headers.get(":path", "")

    async def start(self, status, content_type="application/json"):
        """Sends the headers of the answer."""
        self._check()
        self.connection.h2.send_headers(self.number, [(":status", str(status)),
                                                      ("content-type", content_type)])
        await self.connection.flush()

    async def send(self, data, end=False):
        """Sends bytes of the answer as the client's windows allow."""
        data = memoryview(data)
        while True:
            self._check()
            room = min(self.connection.h2.local_flow_control_window(self.number),
                       self.connection.h2.max_outbound_frame_size)
            if data and room <= 0:
                self.window.clear()
                await self.window.wait()
                continue
            part, data = data[:room], data[room:]
            last = not data
            self.connection.h2.send_data(self.number, bytes(part), end_stream=end and last)
            await self.connection.flush()
            if last:
                self.ended = self.ended or end
                return

    async def respond(self, status, body=b"", content_type="application/json"):
        """A whole answer at once; anything but bytes and text becomes JSON."""
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        await self.start(status, content_type)
        await self.send(body, end=True)

    async def reset(self, code=2):
        self._check()
        self.connection.h2.reset_stream(self.number, code)
        self.ended = True
        await self.connection.flush()

    def _check(self):
        if self.ended or self.connection.closed:
            raise Gone()


class Connection:
    """HTTP/2 over a Noise transport, from the first record to the last.

    handler (stream) is run as a task for each complete request, and cancelled when the client
    resets the stream or goes.
    """

    def __init__(self, reader, writer, transport, handler):
        self.reader, self.writer, self.transport = reader, writer, transport
        self.handler = handler
        self.closed = False
        self.streams = {}
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8"))
        self.tamper = None  # changes the records that leave, see scenario.py
        self.no_window = False  # the client may never send a byte of a request's body

    async def early_payload(self, payload):
        body = json.dumps(payload).encode()
        self.write(b"\xff\xff\xffTS" + struct.pack(">I", len(body)) + body)

    def write(self, plain):
        records = self.transport.seal(plain)
        if self.tamper:
            records = self.tamper(self.transport, records)
        self.writer.write(records)

    async def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.write(data)
        await self.writer.drain()

    async def record(self):
        kind, length = struct.unpack(">BH", await self.reader.readexactly(3))
        if kind != 4 or length + 3 > RECORD_MAX:
            raise NoiseError(f"record of type {kind}, length {length}")
        return self.transport.open(await self.reader.readexactly(length))

    async def run(self):
        """Serves until the other side goes."""
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100})
        try:
            await self.flush()
            if self.no_window:  # a SETTINGS frame that h2 does not know of, so that it stays calm
                self.write(struct.pack(">HBBBI", 0, 6, 4, 0, 0) + struct.pack(">HI", 4, 0))
            while not self.closed:
                data = await self.record()
                for event in self.h2.receive_data(data):
                    self._on_event(event)
                await self.flush()
        except h2.exceptions.ProtocolError as error:
            print(f"http2: {error!r}", flush=True)
        finally:
            self.close()

    def close(self):
        self.closed = True
        for stream in list(self.streams.values()):
            self._end(stream)
        self.writer.close()

    def _end(self, stream):
        stream.ended = True
        stream.window.set()
        if stream.task:
            stream.task.cancel()

    def _on_event(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RequestReceived):
            self.streams[event.stream_id] = Stream(self, event.stream_id, event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if stream and len(stream.body) < 1 << 20:
                stream.body += event.data
        elif isinstance(event, h2.events.StreamEnded) and stream:
            stream.task = asyncio.ensure_future(self._serve(stream))
        elif isinstance(event, h2.events.StreamReset) and stream:
            self._end(stream)
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            for waiting in [stream] if stream else list(self.streams.values()):
                waiting.window.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.closed = True

    async def _serve(self, stream):
        try:
            await self.handler(stream)
        except (Gone, ConnectionError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.streams.pop(stream.number, None)
