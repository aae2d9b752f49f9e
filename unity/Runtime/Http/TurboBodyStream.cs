using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Http
{
    /// <summary>
    /// The body of a response as a stream, which is read from any thread. A blocking read is allowed everywhere: the bytes
    /// come out of the native buffer, not by the pump. Closing it disposes the response.
    /// </summary>
    [Preserve]
    public sealed class TurboBodyStream : Stream
    {
        private readonly TurboResponse response;

        /// <summary>Makes a stream. One that nobody closes gives the response back by its finalizer, if it is the owner.</summary>
        internal TurboBodyStream(TurboResponse response, bool isOwner)
        {
            this.response = response;
            if (!isOwner)
            {
                GC.SuppressFinalize(this);
            }
        }

        /// <summary>Gives back a response whose stream was forgotten.</summary>
        ~TurboBodyStream()
        {
            Dispose(false);
        }

        /// <inheritdoc/>
        public override bool CanRead { get { return true; } }
        /// <inheritdoc/>
        public override bool CanSeek { get { return false; } }
        /// <inheritdoc/>
        public override bool CanWrite { get { return false; } }
        /// <inheritdoc/>
        public override long Length { get { throw new NotSupportedException(); } }

        /// <inheritdoc/>
        public override long Position
        {
            get { throw new NotSupportedException(); }
            set { throw new NotSupportedException(); }
        }

        /// <inheritdoc/>
        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = Translate(new Span<byte>(buffer, offset, count));
            // Its finalizer gives the response back.
            GC.KeepAlive(this);
            return read;
        }

        /// <inheritdoc/>
        public override int Read(Span<byte> buffer)
        {
            int read = Translate(buffer);
            GC.KeepAlive(this);
            return read;
        }

        /// <inheritdoc/>
        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            return ReadHopping(new Memory<byte>(buffer, offset, count), cancellationToken);
        }

        /// <inheritdoc/>
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default(CancellationToken))
        {
            return new ValueTask<int>(ReadHopping(buffer, cancellationToken));
        }

        /// <inheritdoc/>
        public override void Flush()
        {
        }

        /// <inheritdoc/>
        public override long Seek(long offset, SeekOrigin origin)
        {
            throw new NotSupportedException();
        }

        /// <inheritdoc/>
        public override void SetLength(long value)
        {
            throw new NotSupportedException();
        }

        /// <inheritdoc/>
        public override void Write(byte[] buffer, int offset, int count)
        {
            throw new NotSupportedException();
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            response.Dispose();
            base.Dispose(disposing);
        }

        private int Translate(Span<byte> target)
        {
            try
            {
                return response.Read(target);
            }
            catch (TurboException exception)
            {
                throw new IOException(exception.Message, exception);
            }
        }

        private async Task<int> ReadHopping(Memory<byte> target, CancellationToken cancellation)
        {
            try
            {
                ValueTask<int> reading = response.ReadAsync(target, cancellation);
                if (reading.IsCompleted)
                {
                    return await reading.ConfigureAwait(false);
                }
                try
                {
                    return await reading.ConfigureAwait(false);
                }
                finally
                {
                    // Foreign code, which may wait synchronously, does not run on the thread that dispatches.
                    if (response.Client.IsWorkerThread)
                    {
                        await Task.Yield();
                    }
                }
            }
            catch (TurboException exception)
            {
                throw new IOException(exception.Message, exception);
            }
        }
    }
}
