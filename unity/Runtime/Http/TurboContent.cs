using System.IO;
using System.Net;
using System.Net.Http;
using System.Threading.Tasks;

namespace TurboHttp.Http
{
    /// <summary>The content of a response of <see cref="TurboHttpHandler"/>.</summary>
    [Preserve]
    public sealed class TurboContent : HttpContent
    {
        private const int CopyBytes = 64 * 1024;

        private readonly TurboResponse response;
        private readonly long? length;

        internal TurboContent(TurboResponse response)
        {
            this.response = response;
            length = response.ContentLength;
        }

        /// <inheritdoc/>
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext context)
        {
            using (Stream body = response.AsStream())
            {
                await body.CopyToAsync(stream, CopyBytes).ConfigureAwait(false);
            }
        }

        /// <inheritdoc/>
        protected override Task<Stream> CreateContentReadStreamAsync()
        {
            return Task.FromResult(response.AsStream());
        }

        /// <inheritdoc/>
        protected override bool TryComputeLength(out long computed)
        {
            computed = length.GetValueOrDefault();
            return length.HasValue;
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                response.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
