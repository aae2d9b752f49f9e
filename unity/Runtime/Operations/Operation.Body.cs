using System;
using System.Runtime.InteropServices;
using System.Threading.Tasks;
using TurboHttp.Native;

namespace TurboHttp
{
    internal sealed unsafe partial class Operation
    {
        /// <summary>How long one native wait of a blocking call lasts, in milliseconds. A blocking call is a row of them.</summary>
        private const uint WaitMilliseconds = 50;

        private readonly BodyReader reader;
        private readonly BodyWriter writer;

        // What is known of the response.

        internal int Status(ulong number)
        {
            lock (this)
            {
                CheckNumber(number);
                return status;
            }
        }

        internal uint Flags(ulong number)
        {
            lock (this)
            {
                CheckNumber(number);
                return flags;
            }
        }

        internal ulong ContentLength(ulong number)
        {
            lock (this)
            {
                CheckNumber(number);
                return contentLength;
            }
        }

        internal ulong ContentRead(ulong number)
        {
            lock (this)
            {
                CheckNumber(number);
                return contentRead;
            }
        }

        /// <summary>The head. Its pointers are valid until the response is disposed: under the lock of the operation, also
        /// where another thread disposes of it or of the client.</summary>
        internal ThHead Head(ulong number)
        {
            lock (this)
            {
                CheckNumber(number);
                CheckViews();
                if (!hasView)
                {
                    ThHead found;
                    Require(NativeMethods.th_head(client.Id, request, &found));
                    view = found;
                    hasView = true;
                }
                return view;
            }
        }

        /// <summary>Finds the trailers; false before the end.</summary>
        internal bool TryTrailers(ulong number, out ThHead trailers)
        {
            lock (this)
            {
                CheckNumber(number);
                ThHead found;
                bool isThere = NativeMethods.th_trailers(client.Id, request, &found) == NativeMethods.TH_OK;
                trailers = isThere ? found : default(ThHead);
                return isThere;
            }
        }

        internal TurboTimeline Timeline(ulong number)
        {
            lock (this)
            {
                CheckNumber(number);
                return Timeline();
            }
        }

        internal int Spans(ulong number, Span<TurboSpan> target)
        {
            lock (this)
            {
                CheckNumber(number);
                fixed (TurboSpan* first = &MemoryMarshal.GetReference(target))
                {
                    int count = NativeMethods.th_timeline_events(client.Id, request, (ThTimelineEvent*)first, (uint)target.Length);
                    return Math.Max(0, count);
                }
            }
        }

        private TurboTimeline Timeline()
        {
            ThTimeline native = default(ThTimeline);
            native.struct_size = (uint)sizeof(ThTimeline);
            int code = NativeMethods.th_timeline(client.Id, request, &native);
            return code == NativeMethods.TH_OK ? new TurboTimeline(native) : default(TurboTimeline);
        }

        private void Require(int code)
        {
            if (code < 0)
            {
                throw Failure(code);
            }
        }

        // Reading.

        /// <summary>Reads what is there: WOULD_BLOCK, EOF, or OK with a count.</summary>
        internal int TryRead(ulong number, Span<byte> target, out int count)
        {
            lock (this)
            {
                CheckNumber(number);
                int code = ReadNow(target, out count);
                Require(code);
                return code;
            }
        }

        /// <summary>Shows what is there without a copy.</summary>
        internal int TryPeek(ulong number, out ReadOnlySpan<byte> content)
        {
            lock (this)
            {
                CheckNumber(number);
                byte* first = null;
                uint length = 0;
                int code = NativeMethods.th_body_peek(client.Id, request, &first, &length);
                Require(code);
                content = code == NativeMethods.TH_OK ? new ReadOnlySpan<byte>(first, (int)length) : default(ReadOnlySpan<byte>);
                return code;
            }
        }

        internal void Consume(ulong number, int count)
        {
            lock (this)
            {
                CheckNumber(number);
                int code = NativeMethods.th_body_consume(client.Id, request, (uint)count);
                if (code < 0)
                {
                    throw new TurboException((TurboError)code, Text.LastError());
                }
            }
        }

        /// <summary>Waits for bytes without the pump, in native waits of a bounded time. Returns 0 at the end.</summary>
        internal int Read(ulong number, Span<byte> target)
        {
            if (target.Length == 0)
            {
                return 0;
            }
            ulong id;
            lock (this)
            {
                CheckNumber(number);
                id = request;
            }
            while (true)
            {
                uint got = 0;
                int code;
                fixed (byte* first = &MemoryMarshal.GetReference(target))
                {
                    code = NativeMethods.th_body_read(client.Id, id, first, (uint)target.Length, WaitMilliseconds, &got);
                }
                if (code == NativeMethods.TH_OK && got > 0)
                {
                    return (int)got;
                }
                if (code == NativeMethods.TH_EOF)
                {
                    return 0;
                }
                if (code < 0)
                {
                    lock (this)
                    {
                        CheckNumber(number);
                        throw Failure(code);
                    }
                }
            }
        }

        internal ValueTask<int> ReadAsync(ulong number, Memory<byte> target)
        {
            lock (this)
            {
                CheckNumber(number);
                if (!reader.IsIdle)
                {
                    throw new InvalidOperationException("Another read of this body is not over.");
                }
                int count;
                int code = ReadNow(target.Span, out count);
                if (code == NativeMethods.TH_WOULD_BLOCK)
                {
                    // The lock is taken since before the read: the event that the read asked for finds the reader waiting.
                    client.KeepAlive();
                    return new ValueTask<int>(reader, reader.Begin(target));
                }
                return code < 0 ? new ValueTask<int>(Task.FromException<int>(Failure(code))) : new ValueTask<int>(count);
            }
        }

        internal int ReadNow(Span<byte> target, out int count)
        {
            count = 0;
            if (target.Length == 0)
            {
                return NativeMethods.TH_OK;
            }
            uint got = 0;
            int code;
            fixed (byte* first = &MemoryMarshal.GetReference(target))
            {
                code = NativeMethods.th_body_read(client.Id, request, first, (uint)target.Length, 0, &got);
            }
            count = (int)got;
            return code;
        }

        internal Exception ReadFailure(int code)
        {
            return Failure(code);
        }

        private void OnReadable(in ThEvent happened)
        {
            Continuation reading;
            lock (this)
            {
                if (user != happened.user)
                {
                    return;
                }
                reading = reader.Retry();
            }
            reading.Run();
        }

        // Writing.

        internal ValueTask WriteAsync(ulong number, ReadOnlyMemory<byte> source)
        {
            lock (this)
            {
                CheckUpload(number);
                if (!writer.IsIdle)
                {
                    throw new InvalidOperationException("Another write of this body is not over.");
                }
                int taken;
                int code = WriteNow(source.Span, out taken);
                if (code == NativeMethods.TH_WOULD_BLOCK)
                {
                    client.KeepAlive();
                    return new ValueTask(writer, writer.Begin(source.Slice(taken)));
                }
                return code < 0 ? new ValueTask(Task.FromException(WriteFailure(code))) : default(ValueTask);
            }
        }

        /// <summary>Waits for room without the pump, in native waits of a bounded time.</summary>
        internal void Write(ulong number, ReadOnlySpan<byte> source)
        {
            while (source.Length > 0)
            {
                ulong id;
                lock (this)
                {
                    CheckUpload(number);
                    id = request;
                }
                uint took = 0;
                int code;
                fixed (byte* first = &MemoryMarshal.GetReference(source))
                {
                    code = NativeMethods.th_body_write(client.Id, id, first, (uint)source.Length, WaitMilliseconds, &took);
                }
                if (code < 0)
                {
                    throw WriteFailure(code);
                }
                source = source.Slice((int)took);
            }
        }

        internal int WriteNow(ReadOnlySpan<byte> source, out int taken)
        {
            taken = 0;
            if (source.Length == 0)
            {
                return NativeMethods.TH_OK;
            }
            uint took = 0;
            int code;
            fixed (byte* first = &MemoryMarshal.GetReference(source))
            {
                code = NativeMethods.th_body_write(client.Id, request, first, (uint)source.Length, 0, &took);
            }
            taken = (int)took;
            return code;
        }

        internal void Finish(ulong number, TurboFields trailers)
        {
            int code;
            lock (this)
            {
                if (user != number || number == 0 || request == 0)
                {
                    return;
                }
                if (trailers == null)
                {
                    code = NativeMethods.th_body_finish(client.Id, request, null);
                }
                else
                {
                    fixed (byte* arena = trailers.Arena)
                    fixed (ThField* fields = trailers.Fields)
                    {
                        ThFields native = ClientFactory.View(trailers, arena, fields);
                        code = NativeMethods.th_body_finish(client.Id, request, &native);
                    }
                }
            }
            // A body of an announced length ends by its last byte, and the exchange may be over before this call.
            if (code < 0 && code != NativeMethods.TH_STATE)
            {
                throw WriteFailure(code);
            }
        }

        internal Exception WriteFailure(int code)
        {
            string text = code == NativeMethods.TH_STATE
                ? "The exchange is over, or the body was finished: nothing can be written."
                : Text.LastError();
            return new TurboException((TurboError)code, text);
        }

        private void CheckUpload(ulong number)
        {
            if (user != number || number == 0 || request == 0)
            {
                throw WriteFailure(NativeMethods.TH_STATE);
            }
        }

        private void OnWritable(in ThEvent happened)
        {
            Continuation writing;
            lock (this)
            {
                if (user != happened.user)
                {
                    return;
                }
                writing = writer.Retry();
            }
            writing.Run();
        }
    }
}
