using System;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;
using TurboHttp.Http;

namespace TurboHttp.Tests
{
    internal static class HttpClientCases
    {
        private const string Repeated = "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-order: 1\r\nx-order: 2\r\n"
            + "content-type: text/plain\r\ncontent-length: 2\r\n\r\nok";

        internal static void RepeatedFields()
        {
            using (ScriptServer server = new ScriptServer(Repeated))
            using (HttpClient http = new HttpClient(new TurboHttpHandler()))
            {
                HttpResponseMessage response = Ground.Wait(http.GetAsync(server.Url));
                Ground.Same("a=1,b=2", string.Join(",", response.Headers.GetValues("set-cookie").ToArray()), "the cookies");
                Ground.Same("1,2", string.Join(",", response.Headers.GetValues("x-order").ToArray()), "the order");
                Ground.Same("text/plain", response.Content.Headers.ContentType.MediaType, "the type");
                Ground.Same("ok", Ground.Wait(response.Content.ReadAsStringAsync()), "the body");
            }
        }

        internal static void Pumped()
        {
            using (TurboClient client = Ground.Pumped())
            using (HttpClient http = new HttpClient(new TurboHttpHandler(client)))
            {
                Ground.Same("Hello, world!", Ground.Pump(client, http.GetStringAsync(Ground.Url + "/small")), "the body");
                HttpRequestMessage message = new HttpRequestMessage(HttpMethod.Get, Ground.Url + "/headers");
                message.Headers.Add("x-shown", new[] { "1", "2" });
                message.Properties[TurboHttpHandler.PriorityProperty] = TurboPriority.High;
                HttpResponseMessage response = Ground.Pump(client, http.SendAsync(message));
                string head = Ground.Pump(client, response.Content.ReadAsStringAsync()).ToLowerInvariant();
                Ground.Check(head.Contains("x-shown: 1") && head.Contains("x-shown: 2"), "the fields: " + head);
            }
        }

        internal static void ContentAndStream()
        {
            using (HttpClient http = new HttpClient(new TurboHttpHandler()))
            {
                foreach (int size in new[] { 0, 1000, 1000000 })
                {
                    byte[] body = Ground.Pattern(size);
                    Echo(http, new ByteArrayContent(body), size);
                    Echo(http, new StreamContent(new MemoryStream(body)), size);
                }
                HttpResponseMessage answer = Ground.Wait(
                    http.GetAsync(Ground.Url + "/bytes/1000000", HttpCompletionOption.ResponseHeadersRead));
                using (Stream stream = Ground.Wait(answer.Content.ReadAsStreamAsync()))
                {
                    byte[] buffer = new byte[50000];
                    long offset = 0;
                    int count;
                    while ((count = Ground.Wait(stream.ReadAsync(buffer, 0, buffer.Length))) > 0)
                    {
                        Ground.CheckPattern(buffer, 0, count, offset);
                        offset += count;
                    }
                    Ground.Same(1000000, offset, "bytes of the stream");
                }
            }
        }

        private static void Echo(HttpClient http, HttpContent content, int size)
        {
            using (HttpResponseMessage response = Ground.Wait(http.PostAsync(Ground.Url + "/echo", content)))
            {
                byte[] back = Ground.Wait(response.Content.ReadAsByteArrayAsync());
                Ground.Same(size, back.Length, "the length of the echo");
                Ground.CheckPattern(back, 0, back.Length, 0);
            }
        }

        internal static void Failures()
        {
            using (HttpClient http = new HttpClient(new TurboHttpHandler()))
            using (CancellationTokenSource source = new CancellationTokenSource())
            {
                AggregateException thrown = Ground.Throws<AggregateException>(
                    () => Ground.Wait(http.GetAsync(ScriptServer.DeadUrl())), "a dead server");
                HttpRequestException failure = thrown.InnerException as HttpRequestException;
                Ground.Check(failure != null && failure.InnerException is TurboException, "what is thrown: " + thrown.InnerException);
                Task<HttpResponseMessage> waiting = http.GetAsync(Ground.Url + "/never", source.Token);
                source.Cancel();
                thrown = Ground.Throws<AggregateException>(() => Ground.Wait(waiting), "a canceled request");
                Ground.Check(thrown.InnerException is OperationCanceledException, "what is thrown: " + thrown.InnerException);
            }
        }

        /// <summary>A continuation waits synchronously for the next request, as code written for HttpClient does.</summary>
        internal static void Blocking()
        {
            using (HttpClient http = new HttpClient(new TurboHttpHandler()))
            {
                Ground.Same("Hello, world!", Ground.Wait(Nested(http)), "the body of the second request");
            }
        }

        private static async Task<string> Nested(HttpClient http)
        {
            await http.GetStringAsync(Ground.Url + "/small").ConfigureAwait(false);
            return Ground.Wait(http.GetStringAsync(Ground.Url + "/small"));
        }
    }
}
