using System;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using TurboHttp.Http;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>
    /// A response. Copies of it are one response; disposing it frees what is native and cancels what still runs. A response
    /// that is never disposed keeps its connection or its buffer, and one of the requests the client may have at once.
    /// </summary>
    public readonly struct TurboResponse : IDisposable
    {
        private const int FirstBuffer = 16 * 1024;

        private static readonly Func<byte[], int, byte[]> AsBytes = Trim;
        private static readonly Func<byte[], int, string> AsText = Decode;

        private readonly Operation operation;
        private readonly ulong user;

        internal TurboResponse(Operation operation, ulong user)
        {
            this.operation = operation;
            this.user = user;
        }

        /// <summary>The status.</summary>
        /// <exception cref="ObjectDisposedException">The response was disposed; every member but Dispose throws it.</exception>
        public int Status { get { return Operation.Status(user); } }

        /// <summary>Whether the status is one from 200 to 299.</summary>
        public bool IsSuccess { get { return Status >= 200 && Status <= 299; } }

        /// <summary>The version of HTTP.</summary>
        public Version Version
        {
            get
            {
                uint version = Operation.Head(user).version;
                return version == 20 ? Versions.Http20 : version == 10 ? Versions.Http10 : Versions.Http11;
            }
        }

        /// <summary>Whether the connection was open already.</summary>
        public bool IsReused { get { return (Operation.Flags(user) & NativeMethods.TH_FLAG_REUSED) != 0; } }

        /// <summary>Whether the response came over HTTP/2.</summary>
        public bool IsHttp2 { get { return (Operation.Flags(user) & NativeMethods.TH_FLAG_HTTP2) != 0; } }

        /// <summary>Whether a download to a file went on from a part that was there.</summary>
        public bool IsResumed { get { return (Operation.Flags(user) & NativeMethods.TH_FLAG_RESUMED) != 0; } }

        /// <summary>The URL that answered, redirects followed.</summary>
        public unsafe string Url
        {
            get
            {
                Operation operation = Operation;
                lock (operation)
                {
                    ThHead head = operation.Head(user);
                    return Text.Utf8(head.arena + head.url_off, head.url_len);
                }
            }
        }

        /// <summary>The length of the content, if it was announced.</summary>
        public long? ContentLength
        {
            get
            {
                ulong length = Operation.ContentLength(user);
                return length == ulong.MaxValue ? (long?)null : (long)length;
            }
        }

        /// <summary>The bytes of the body, known at the end of the exchange.</summary>
        public long ContentReceived { get { return (long)Operation.ContentRead(user); } }

        /// <summary>The fields of the head.</summary>
        public TurboHeaders Headers { get { return new TurboHeaders(Operation, user); } }

        /// <summary>Where the time has gone.</summary>
        public TurboTimeline Timeline { get { return Operation.Timeline(user); } }

        private Operation Operation
        {
            get
            {
                if (operation == null)
                {
                    throw new InvalidOperationException("This is not the response of a request.");
                }
                return operation;
            }
        }

        /// <summary>Copies the spans of the timeline, each attempt with its phases, and returns their number.</summary>
        public int CopySpans(Span<TurboSpan> target)
        {
            return Operation.Spans(user, target);
        }

        /// <summary>Finds the trailer fields, which are known when the exchange is over.</summary>
        public bool TryGetTrailers(out TurboHeaders trailers)
        {
            ThHead head;
            bool found = Operation.TryTrailers(user, out head);
            trailers = found ? new TurboHeaders(operation, user, head) : default(TurboHeaders);
            return found;
        }

        /// <summary>Reads what is there without waiting. False says that nothing is there yet; true with 0 is the end.</summary>
        public bool TryRead(Span<byte> target, out int count)
        {
            return Operation.TryRead(user, target, out count) != NativeMethods.TH_WOULD_BLOCK;
        }

        /// <summary>
        /// Shows what is there without waiting and without a copy: native memory, valid until the next
        /// <see cref="Consume"/>, read or dispose. False says that nothing is there yet; true with nothing is the end.
        /// </summary>
        public bool TryPeek(out ReadOnlySpan<byte> content)
        {
            return Operation.TryPeek(user, out content) != NativeMethods.TH_WOULD_BLOCK;
        }

        /// <summary>Says that this many of the bytes that were peeked are no longer needed.</summary>
        /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
        public void Consume(int count)
        {
            if (count < 0)
            {
                throw new ArgumentOutOfRangeException("count");
            }
            Operation.Consume(user, count);
        }

        /// <summary>Reads bytes and waits for them if need be; 0 is the end. Allowed on every thread, the pumping one too.</summary>
        public int Read(Span<byte> target)
        {
            return Operation.Read(user, target);
        }

        /// <summary>Reads bytes; 0 is the end. One read at a time. The memory is not to be used before the task ends.</summary>
        public ValueTask<int> ReadAsync(Memory<byte> target)
        {
            return Operation.ReadAsync(user, target);
        }

        /// <summary>Reads bytes; the token cancels the whole exchange.</summary>
        public ValueTask<int> ReadAsync(Memory<byte> target, CancellationToken cancellation)
        {
            return cancellation.CanBeCanceled ? Canceling.ReadAsync(this, target, cancellation) : ReadAsync(target);
        }

        /// <summary>Reads the rest of the body into an array.</summary>
        /// <exception cref="TurboException">The body is larger than an array can be, or the exchange failed.</exception>
        public Task<byte[]> ReadToEndAsync()
        {
            return ReadToEnd(this, AsBytes);
        }

        /// <summary>Reads the rest of the body as text of UTF-8.</summary>
        public Task<string> ReadStringAsync()
        {
            return ReadToEnd(this, AsText);
        }

        /// <summary>The body as a stream. Closing the stream disposes the response.</summary>
        public Stream AsStream()
        {
            return new TurboBodyStream(this, false);
        }

        /// <summary>Throws if the status is none from 200 to 299.</summary>
        /// <exception cref="TurboException">With <see cref="TurboError.Status"/>.</exception>
        public void EnsureSuccess()
        {
            if (!IsSuccess)
            {
                throw new TurboException(TurboError.Status, "The status is " + Status + " at " + Url + ".");
            }
        }

        /// <summary>Frees the response. Idempotent.</summary>
        public void Dispose()
        {
            if (operation != null)
            {
                operation.Dispose(user);
            }
        }

        internal void Cancel()
        {
            Operation.Cancel(user);
        }

        internal TurboClient Client
        {
            get { return Operation.Client; }
        }

        /// <summary>
        /// Reads to the end and converts what was read. It awaits nothing but reads, which capture no context: one that is
        /// captured cannot run anything while its thread waits synchronously.
        /// </summary>
        private static async Task<T> ReadToEnd<T>(TurboResponse response, Func<byte[], int, T> convert) where T : class
        {
            byte[] buffer = new byte[FirstSize(response.ContentLength)];
            int used = 0;
            while (true)
            {
                int count = await response.ReadAsync(new Memory<byte>(buffer, used, buffer.Length - used));
                if (count == 0)
                {
                    break;
                }
                used += count;
                if (used == buffer.Length)
                {
                    Grow(ref buffer);
                }
            }
            return convert(buffer, used);
        }

        private static byte[] Trim(byte[] buffer, int used)
        {
            Array.Resize(ref buffer, used);
            return buffer;
        }

        private static string Decode(byte[] buffer, int used)
        {
            return Encoding.UTF8.GetString(buffer, 0, used);
        }

        /// <summary>One byte more than announced, so that the end is read without another buffer.</summary>
        private static int FirstSize(long? length)
        {
            return length.HasValue ? (int)Math.Min(length.Value, 16 * 1024 * 1024) + 1 : FirstBuffer;
        }

        private static void Grow(ref byte[] buffer)
        {
            if (buffer.Length >= int.MaxValue / 2)
            {
                throw new TurboException(TurboError.TooLarge, "The body does not fit into an array.");
            }
            Array.Resize(ref buffer, buffer.Length * 2);
        }

        private static class Versions
        {
            internal static readonly Version Http10 = new Version(1, 0);
            internal static readonly Version Http11 = new Version(1, 1);
            internal static readonly Version Http20 = new Version(2, 0);
        }
    }
}
