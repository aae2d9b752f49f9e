using System;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    /// <summary>TLS: roots, pins, certificates that are refused.</summary>
    internal static class TlsCases
    {
        private static TurboClientOptions Trusting()
        {
            return new TurboClientOptions { Mode = TurboMode.Pumped, RootPem = Ground.RootPem, OnlyAddedRoots = true };
        }

        private static string Get(TurboClientOptions options, string url)
        {
            options.Mode = TurboMode.Pumped;
            using (TurboClient client = new TurboClient(options))
            {
                return Ground.Pump(client, Summary(client, url + "/small"));
            }
        }

        private static async Task<string> Summary(TurboClient client, string url)
        {
            using (TurboResponse response = await client.SendAsync(new TurboRequest(url)))
            {
                string text = await response.ReadStringAsync();
                bool shook = response.Timeline.Tls > TimeSpan.Zero;
                return response.Status + " " + response.Version + " " + shook + " " + text;
            }
        }

        private static TurboException Refused(TurboClientOptions options, string url)
        {
            TurboException exception = Ground.Throws<TurboException>(() => Get(options, url), "the request");
            Ground.Same("Tls", exception.Code.ToString(), "the code of '" + exception.Message + "'");
            return exception;
        }

        internal static void OwnRoots()
        {
            Ground.Same("200 2.0 True Hello, world!", Get(Trusting(), Ground.TlsUrl), "by ALPN");
            TurboClientOptions http1 = Trusting();
            http1.Http1Only = true;
            Ground.Same("200 1.1 True Hello, world!", Get(http1, Ground.TlsUrl), "HTTP/1.1 only");
            TurboClientOptions beside = new TurboClientOptions { RootPem = Ground.RootPem };
            Ground.Same("200 2.0 True Hello, world!", Get(beside, Ground.TlsUrl), "beside the roots of the platform");
        }

        internal static void Refused()
        {
            Ground.Note = Refused(new TurboClientOptions(), Ground.TlsUrl).Message;
            Refused(Trusting(), Ground.UntrustedUrl);
            TurboClientOptions any = new TurboClientOptions { DangerAcceptAnyCertificate = true };
            Ground.Same("200 2.0 True Hello, world!", Get(any, Ground.UntrustedUrl), "any certificate");
        }

        internal static void Pins()
        {
            const string Begin = "sha256//";
            string wrong = Begin + new string('A', 43) + "=";
            TurboClientOptions options = Trusting();
            options.Pins = wrong;
            string message = Refused(options, Ground.TlsUrl).Message;
            int start = message.IndexOf(Begin, StringComparison.Ordinal);
            Ground.Check(start >= 0, "the text names no key: " + message);
            string right = message.Substring(start, Begin.Length + 44);
            options = Trusting();
            options.Pins = wrong + ";" + right;
            Ground.Same("200 2.0 True Hello, world!", Get(options, Ground.TlsUrl), "the right key beside a wrong one");
            // A pin does not make up for a certificate that nobody has signed.
            options = Trusting();
            options.Pins = right;
            Refused(options, Ground.UntrustedUrl);
        }

        internal static void ByHttpClient()
        {
            using (TurboClient client = new TurboClient(new TurboClientOptions { RootPem = Ground.RootPem }))
            using (System.Net.Http.HttpClient http = new System.Net.Http.HttpClient(new Http.TurboHttpHandler(client)))
            {
                System.Net.Http.HttpResponseMessage response = Ground.Wait(http.GetAsync(Ground.TlsUrl + "/small"));
                Ground.Same("2.0", response.Version.ToString(), "the version");
                Ground.Same("Hello, world!", Ground.Wait(response.Content.ReadAsStringAsync()), "the body");
                AggregateException thrown = Ground.Throws<AggregateException>(
                    () => Ground.Wait(http.GetAsync(Ground.UntrustedUrl)), "a certificate that is refused");
                Ground.Check(thrown.InnerException is System.Net.Http.HttpRequestException, "what is thrown");
            }
        }
    }
}
