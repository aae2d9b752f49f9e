using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;
using TurboHttp.Http;

namespace TurboHttp.Tests
{
    /// <summary>What code written for HttpClient expects of a handler.</summary>
    internal static class HandlerCases
    {
        private static byte[] Ok(string head)
        {
            return AnswerServer.Answer("200 OK", string.Empty, "ok");
        }

        private static HttpClient Http()
        {
            return new HttpClient(new TurboHttpHandler());
        }

        internal static void RedirectedUri()
        {
            using (HttpClient http = Http())
            using (HttpResponseMessage response = Ground.Wait(http.GetAsync(Ground.Url + "/status/302")))
            {
                Ground.Same(200, (int)response.StatusCode, "the status");
                Ground.Same(Ground.Url + "/small", response.RequestMessage.RequestUri.AbsoluteUri, "the URL that answered");
            }
        }

        internal static void FieldsOfRequest()
        {
            using (AnswerServer server = new AnswerServer(Ok))
            using (HttpClient http = Http())
            {
                HttpRequestMessage message = new HttpRequestMessage(HttpMethod.Post, server.Url + "/a#fragment");
                message.Headers.TryAddWithoutValidation("Cookie", "a=1");
                message.Headers.TryAddWithoutValidation("Cookie", "b=2");
                message.Headers.UserAgent.ParseAdd("game/1 (test) engine/2");
                message.Headers.Accept.ParseAdd("text/plain");
                message.Headers.Accept.ParseAdd("text/html");
                message.Headers.ConnectionClose = true;
                Ground.Wait(http.SendAsync(message)).Dispose();
                HttpRequestMessage expecting = new HttpRequestMessage(HttpMethod.Put, server.Url + "/b");
                expecting.Headers.ExpectContinue = true;
                expecting.Content = new StringContent("content");
                expecting.Content.Headers.ContentLanguage.Add("en");
                expecting.Content.Headers.ContentLanguage.Add("de");
                Ground.Wait(http.SendAsync(expecting)).Dispose();
                string[] heads = server.Heads;
                Ground.Same(2, heads.Length, "requests");
                Ground.Check(heads[0].StartsWith("post /a http/1.1\r\n"), "the request line: " + heads[0]);
                Ground.Same("a=1; b=2", AnswerServer.Field(heads[0], "cookie"), "the cookies");
                Ground.Same("game/1 (test) engine/2", AnswerServer.Field(heads[0], "user-agent"), "the agent");
                Ground.Same("0", AnswerServer.Field(heads[0], "content-length"), "the length of no content");
                Ground.Check(heads[0].Contains("text/plain") && heads[0].Contains("text/html"), "what is accepted: " + heads[0]);
                Ground.Same("7", AnswerServer.Field(heads[1], "content-length"), "the length of the content");
                Ground.Check(heads[1].Contains("en") && heads[1].Contains("de"), "the languages: " + heads[1]);
            }
        }

        internal static void HeadAndNoContent()
        {
            using (AnswerServer server = new AnswerServer(head => head.StartsWith("HEAD")
                ? System.Text.Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\ncontent-length: 500\r\nconnection: close\r\n\r\n")
                : System.Text.Encoding.ASCII.GetBytes("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")))
            using (HttpClient http = Http())
            {
                HttpResponseMessage head = Ground.Wait(http.SendAsync(new HttpRequestMessage(HttpMethod.Head, server.Url)));
                Ground.Same(500, head.Content.Headers.ContentLength.Value, "the length of the head");
                Ground.Same(0, Ground.Wait(head.Content.ReadAsByteArrayAsync()).Length, "its content");
                HttpResponseMessage none = Ground.Wait(http.GetAsync(server.Url));
                Ground.Same(204, (int)none.StatusCode, "the status");
                Ground.Same(string.Empty, Ground.Wait(none.Content.ReadAsStringAsync()), "no content");
            }
        }

        internal static void TimeLimit()
        {
            using (HttpClient http = Http())
            {
                http.Timeout = TimeSpan.FromMilliseconds(100);
                AggregateException thrown = Ground.Throws<AggregateException>(
                    () => Ground.Wait(http.GetAsync(Ground.Url + "/never")), "the request");
                Ground.Check(thrown.InnerException is OperationCanceledException, "what is thrown: " + thrown.InnerException);
                thrown = Ground.Throws<AggregateException>(
                    () => Ground.Wait(http.GetAsync(Ground.Url + "/slow/1000/5000")), "a body that does not come");
                Ground.Check(thrown.InnerException is OperationCanceledException, "what is thrown: " + thrown.InnerException);
            }
        }

        internal static void CancelOfStream()
        {
            using (HttpClient http = Http())
            using (CancellationTokenSource source = new CancellationTokenSource())
            {
                string url = Ground.Url + "/slow/1000/5000";
                HttpResponseMessage response = Ground.Wait(http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead));
                Stream stream = Ground.Wait(response.Content.ReadAsStreamAsync());
                byte[] buffer = new byte[1000];
                Task<int> reading = stream.ReadAsync(buffer, 0, buffer.Length, source.Token);
                while (reading.IsCompleted)
                {
                    reading = stream.ReadAsync(buffer, 0, buffer.Length, source.Token);
                }
                source.Cancel();
                AggregateException thrown = Ground.Throws<AggregateException>(() => Ground.Wait(reading), "the read");
                Ground.Check(thrown.InnerException is OperationCanceledException, "what is thrown: " + thrown.InnerException);
                response.Dispose();
                Ground.Throws<ObjectDisposedException>(() => stream.Read(buffer, 0, 1), "a read after the dispose");
            }
        }

        private sealed class FailingContent : HttpContent
        {
            protected override async Task SerializeToStreamAsync(Stream stream, TransportContext context)
            {
                await stream.WriteAsync(new byte[1000], 0, 1000).ConfigureAwait(false);
                throw new InvalidDataException("planted");
            }

            protected override bool TryComputeLength(out long length)
            {
                length = 0;
                return false;
            }
        }

        /// <summary>The failure of the content is told, not the cancellation that follows it.</summary>
        internal static void FailingUpload()
        {
            using (HttpClient http = Http())
            {
                for (int i = 0; i < 200; i++)
                {
                    AggregateException thrown = Ground.Throws<AggregateException>(
                        () => Ground.Wait(http.PostAsync(Ground.Url + "/post", new FailingContent())), "the request");
                    HttpRequestException failure = thrown.InnerException as HttpRequestException;
                    Exception inner = failure == null ? null : failure.InnerException;
                    Ground.Check(inner is InvalidDataException, "request " + i + " throws " + thrown.InnerException);
                }
            }
        }

        /// <summary>Responses that nobody disposes are given back by the collector.</summary>
        internal static void ForgottenResponses()
        {
            using (TurboClient client = new TurboClient(new TurboClientOptions { RequestsMax = 16 }))
            using (HttpClient http = new HttpClient(new TurboHttpHandler(client)))
            {
                for (int i = 0; i < 60; i++)
                {
                    bool streams = i % 2 == 0;
                    Run(() => Forget(http, streams));
                    if (i % 4 == 3)
                    {
                        Run(Collect);
                    }
                }
                Ground.Note = client.Stats().Requests + " of 60 are left";
            }
        }

        private static void Run(ThreadStart body)
        {
            Exception thrown = null;
            Thread thread = new Thread(() =>
            {
                try
                {
                    body();
                }
                catch (Exception exception)
                {
                    thrown = exception;
                }
            });
            thread.Start();
            thread.Join();
            Ground.Check(thrown == null, "a request: " + thrown);
        }

        private static void Collect()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        private static void Forget(HttpClient http, bool streams)
        {
            string url = Ground.Url + "/bytes/1000";
            HttpResponseMessage response = Ground.Wait(http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead));
            if (streams)
            {
                Ground.Check(Ground.Wait(response.Content.ReadAsStreamAsync()).CanRead, "the stream");
            }
        }

        /// <summary>Code that is told of a failure, or writes a content, waits synchronously for its next request.</summary>
        internal static void BlockingElsewhere()
        {
            using (HttpClient http = Http())
            {
                Ground.Same(13, Ground.Wait(AfterFailure(http)).Length, "after a request that failed");
                Ground.Same(13, Ground.Wait(AfterCutOff(http)).Length, "after a body that was cut off");
                Task<HttpResponseMessage> sending = http.PostAsync(Ground.Url + "/post", new AskingContent(http));
                Ground.Same(200, (int)Ground.Wait(sending).StatusCode, "between two pieces of a content");
            }
        }

        private static async Task<string> AfterFailure(HttpClient http)
        {
            try
            {
                await http.GetAsync(Ground.Url + "/drop").ConfigureAwait(false);
            }
            catch (HttpRequestException)
            {
                return Ground.Wait(http.GetStringAsync(Ground.Url + "/small"));
            }
            throw new TestFailure("nothing was thrown");
        }

        private static async Task<string> AfterCutOff(HttpClient http)
        {
            string url = Ground.Url + "/drop/3000000";
            HttpResponseMessage response = await http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead).ConfigureAwait(false);
            Stream stream = await response.Content.ReadAsStreamAsync().ConfigureAwait(false);
            byte[] buffer = new byte[4096];
            try
            {
                while (await stream.ReadAsync(buffer, 0, buffer.Length).ConfigureAwait(false) > 0)
                {
                }
            }
            catch (IOException)
            {
                return Ground.Wait(http.GetStringAsync(Ground.Url + "/small"));
            }
            throw new TestFailure("nothing was thrown");
        }

        /// <summary>A content that asks for something else between two writes.</summary>
        private sealed class AskingContent : HttpContent
        {
            private readonly HttpClient http;

            internal AskingContent(HttpClient http)
            {
                this.http = http;
            }

            protected override async Task SerializeToStreamAsync(Stream stream, TransportContext context)
            {
                byte[] piece = new byte[4 * 1024 * 1024];
                await stream.WriteAsync(piece, 0, piece.Length).ConfigureAwait(false);
                Ground.Same(13, Ground.Wait(http.GetStringAsync(Ground.Url + "/small")).Length, "the text");
                await stream.WriteAsync(piece, 0, piece.Length).ConfigureAwait(false);
            }

            protected override bool TryComputeLength(out long length)
            {
                length = 0;
                return false;
            }
        }

        internal static void SharedClient()
        {
            using (TurboClient client = Ground.Pumped())
            {
                new HttpClient(new TurboHttpHandler(client)).Dispose();
                Ground.Same(13, Ground.Pump(client, Ground.Complete(client, Ground.Get("/small"))).Length, "the body");
                new HttpClient(new TurboHttpHandler(client, true)).Dispose();
                Ground.Check(client.IsDisposed, "a client that is owned");
            }
        }

        internal static void WithoutUrl()
        {
            using (HttpMessageInvoker invoker = new HttpMessageInvoker(new TurboHttpHandler()))
            {
                Task<HttpResponseMessage> sending = invoker.SendAsync(new HttpRequestMessage(), CancellationToken.None);
                AggregateException thrown = Ground.Throws<AggregateException>(() => Ground.Wait(sending), "the request");
                Ground.Check(thrown.InnerException is InvalidOperationException, "what is thrown: " + thrown.InnerException);
            }
        }
    }
}
