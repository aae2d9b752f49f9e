using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Http
{
    /// <summary>The body of a request as a stream, into which the content of an HttpRequestMessage is copied.</summary>
    [Preserve]
    internal sealed class TurboUploadStream : Stream
    {
        private readonly TurboUpload upload;

        internal TurboUploadStream(TurboUpload upload)
        {
            this.upload = upload;
        }

        public override bool CanRead { get { return false; } }
        public override bool CanSeek { get { return false; } }
        public override bool CanWrite { get { return true; } }
        public override long Length { get { throw new NotSupportedException(); } }

        public override long Position
        {
            get { throw new NotSupportedException(); }
            set { throw new NotSupportedException(); }
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            throw new NotSupportedException();
        }

        public override long Seek(long offset, SeekOrigin origin)
        {
            throw new NotSupportedException();
        }

        public override void SetLength(long value)
        {
            throw new NotSupportedException();
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            upload.Write(new ReadOnlySpan<byte>(buffer, offset, count));
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            return WriteHopping(new ReadOnlyMemory<byte>(buffer, offset, count));
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default(CancellationToken))
        {
            return new ValueTask(WriteHopping(buffer));
        }

        private async Task WriteHopping(ReadOnlyMemory<byte> buffer)
        {
            ValueTask writing = upload.WriteAsync(buffer);
            if (writing.IsCompleted)
            {
                await writing.ConfigureAwait(false);
                return;
            }
            try
            {
                await writing.ConfigureAwait(false);
            }
            finally
            {
                // The content is foreign code, which may wait synchronously: not on the thread that dispatches.
                if (upload.Client.IsWorkerThread)
                {
                    await Task.Yield();
                }
            }
        }
    }
}
