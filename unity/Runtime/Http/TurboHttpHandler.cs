using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Http
{
    /// <summary>
    /// Lets <see cref="HttpClient"/> send by a <see cref="TurboClient"/>: <c>new HttpClient(new TurboHttpHandler())</c>.
    /// </summary>
    /// <remarks>
    /// The default client has a background thread; code that awaits goes on where <see cref="HttpClient"/> lets it. Failures are
    /// <see cref="HttpRequestException"/> with the <see cref="TurboException"/> inside, or
    /// <see cref="OperationCanceledException"/>. Redirects, cookies, proxies and codings are those of the client.
    /// </remarks>
    [Preserve]
    public sealed class TurboHttpHandler : HttpMessageHandler
    {
        /// <summary>The key in the properties of a request for its <see cref="TurboPriority"/>.</summary>
        public const string PriorityProperty = "TurboHttp.Priority";

        /// <summary>Up to this length a content is copied before it is sent, not streamed.</summary>
        private const long BufferedBytesMax = 64 * 1024;

        private readonly TurboClient client;
        private readonly bool ownsClient;

        /// <summary>Makes a handler with a client of its own.</summary>
        [Preserve]
        public TurboHttpHandler() : this(new TurboClient(), true)
        {
        }

        /// <summary>Makes a handler with this client, and disposes it along with the handler if told so.</summary>
        [Preserve]
        public TurboHttpHandler(TurboClient client, bool ownsClient = false)
        {
            if (client == null)
            {
                throw new ArgumentNullException("client");
            }
            this.client = client;
            this.ownsClient = ownsClient;
        }

        /// <inheritdoc/>
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage message, CancellationToken cancellationToken)
        {
            if (message == null)
            {
                throw new ArgumentNullException("message");
            }
            if (message.RequestUri == null || !message.RequestUri.IsAbsoluteUri)
            {
                throw new InvalidOperationException("The request has no absolute URL.");
            }
            try
            {
                TurboRequest request = Request(message);
                long? length = message.Content == null ? 0 : message.Content.Headers.ContentLength;
                bool streams = message.Content != null && !(length <= BufferedBytesMax);
                if (streams)
                {
                    request.WithStream(length);
                }
                else if (message.Content != null)
                {
                    request.WithBody(await message.Content.ReadAsByteArrayAsync().ConfigureAwait(false));
                }
                TurboTicket ticket;
                ValueTask<TurboResponse> sending = client.SendAsync(request, out ticket, cancellationToken);
                Upload upload = streams ? Upload.Start(message.Content, ticket) : null;
                return Response(message, await Head(sending, upload).ConfigureAwait(false));
            }
            catch (TurboException exception)
            {
                throw new HttpRequestException(exception.Message, exception);
            }
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            if (disposing && ownsClient)
            {
                client.Dispose();
            }
            base.Dispose(disposing);
        }

        /// <summary>
        /// Waits for the head. If the content could not be read, that is the failure. Either way it leaves the background
        /// thread before foreign code runs: code written for HttpClient may wait synchronously for its next request, which
        /// that thread has to dispatch.
        /// </summary>
        private async Task<TurboResponse> Head(ValueTask<TurboResponse> sending, Upload upload)
        {
            try
            {
                return await sending.ConfigureAwait(false);
            }
            catch (TurboException) when (upload != null && upload.Failure != null)
            {
                throw new HttpRequestException("The content of the request could not be read.", upload.Failure);
            }
            finally
            {
                if (client.IsWorkerThread)
                {
                    await Task.Yield();
                }
            }
        }

        /// <summary>Copies the content of a message into its request.</summary>
        private sealed class Upload
        {
            private readonly TurboTicket ticket;
            private volatile Exception failure;

            private Upload(TurboTicket ticket)
            {
                this.ticket = ticket;
            }

            internal static Upload Start(HttpContent content, TurboTicket ticket)
            {
                Upload upload = new Upload(ticket);
                // It goes on beside the exchange, and catches whatever happens.
                GC.KeepAlive(upload.Copy(content));
                return upload;
            }

            /// <summary>Why the content could not be read. It is known before the exchange is canceled for it.</summary>
            internal Exception Failure
            {
                get { return failure; }
            }

            private async Task Copy(HttpContent content)
            {
                try
                {
                    await content.CopyToAsync(new TurboUploadStream(ticket.Upload)).ConfigureAwait(false);
                    ticket.Upload.Finish();
                }
                catch (TurboException)
                {
                    // The exchange is over before its content: the task of the head says how.
                }
                catch (Exception exception)
                {
                    failure = exception.InnerException is TurboException ? null : exception;
                    ticket.Cancel();
                }
            }
        }

        private static TurboRequest Request(HttpRequestMessage message)
        {
            TurboRequest request = new TurboRequest(message.Method.Method, message.RequestUri.AbsoluteUri);
            object priority;
            if (message.Properties.TryGetValue(PriorityProperty, out priority) && priority is TurboPriority)
            {
                request.Priority = (TurboPriority)priority;
            }
            AddAll(request.Headers, message.Headers);
            if (message.Content != null)
            {
                AddAll(request.Headers, message.Content.Headers);
            }
            return request;
        }

        private static void AddAll(TurboFields target, IEnumerable<KeyValuePair<string, IEnumerable<string>>> source)
        {
            foreach (KeyValuePair<string, IEnumerable<string>> entry in source)
            {
                // The engine frames the content itself.
                if (Is(entry.Key, "Content-Length") || Is(entry.Key, "Transfer-Encoding"))
                {
                    continue;
                }
                // These are one field each, whose parts are not divided by commas (RFC 9110, section 10.1.5; RFC 6265, section 4.2).
                if (Is(entry.Key, "User-Agent") || Is(entry.Key, "Cookie"))
                {
                    target.Add(entry.Key, string.Join(Is(entry.Key, "Cookie") ? "; " : " ", entry.Value));
                    continue;
                }
                foreach (string value in entry.Value)
                {
                    target.Add(entry.Key, value);
                }
            }
        }

        private static bool Is(string name, string other)
        {
            return string.Equals(name, other, StringComparison.OrdinalIgnoreCase);
        }

        /// <summary>Whether two URLs differ, their fragments apart.</summary>
        private static bool IsOther(Uri answered, Uri asked)
        {
            return Uri.Compare(answered, asked, UriComponents.HttpRequestUrl, UriFormat.UriEscaped, StringComparison.Ordinal) != 0;
        }

        private static HttpResponseMessage Response(HttpRequestMessage message, TurboResponse response)
        {
            HttpResponseMessage answer = new HttpResponseMessage((HttpStatusCode)response.Status);
            answer.Content = new TurboContent(response);
            answer.Version = response.Version;
            answer.RequestMessage = message;
            Uri answered;
            if (Uri.TryCreate(response.Url, UriKind.Absolute, out answered) && IsOther(answered, message.RequestUri))
            {
                // Redirects were followed; code written for HttpClient looks here for where they led.
                message.RequestUri = answered;
            }
            foreach (KeyValuePair<string, string> field in response.Headers.ToArray())
            {
                if (!answer.Headers.TryAddWithoutValidation(field.Key, field.Value))
                {
                    answer.Content.Headers.TryAddWithoutValidation(field.Key, field.Value);
                }
            }
            return answer;
        }
    }
}
