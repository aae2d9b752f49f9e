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
        private bool isGiven;

        internal TurboContent(TurboResponse response)
        {
            this.response = response;
            length = response.ContentLength;
        }

        /// <inheritdoc/>
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext context)
        {
            using (Stream body = Take())
            {
                await body.CopyToAsync(stream, CopyBytes).ConfigureAwait(false);
            }
        }

        /// <inheritdoc/>
        protected override Task<Stream> CreateContentReadStreamAsync()
        {
            return Task.FromResult(Take());
        }

        /// <summary>Gives the body away: its stream has the response from now on.</summary>
        private Stream Take()
        {
            isGiven = true;
            return new TurboBodyStream(response, true);
        }

        /// <inheritdoc/>
        protected override bool TryComputeLength(out long computed)
        {
            computed = length.GetValueOrDefault();
            return length.HasValue;
        }

        /// <summary>Gives a response back that nobody has read or disposed, as HttpClient leaves them where it throws.</summary>
        ~TurboContent()
        {
            Dispose(false);
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            if (disposing || !isGiven)
            {
                response.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
