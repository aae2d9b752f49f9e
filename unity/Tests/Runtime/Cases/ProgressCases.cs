using System;
using System.IO;
using System.Text;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    internal static class ProgressCases
    {
        private const int Large = 300000;

        internal static void UpAndDown()
        {
            using (TurboClient client = Ground.Pumped())
            {
                TurboTicket ticket;
                TurboRequest echo = new TurboRequest("POST", Ground.Url + "/echo").WithBody(Ground.Pattern(Large));
                Task<TurboResponse> sending = client.SendAsync(echo, out ticket).AsTask();
                using (TurboResponse response = Ground.Pump(client, sending))
                {
                    Ground.Same(Large, Ground.Pump(client, response.ReadToEndAsync()).Length, "the echo");
                    Ground.Same(Large, ticket.Progress.Sent, "what was sent");
                    Ground.Same(Large, ticket.Progress.ToSend, "what was to be sent");
                    Ground.Same(Large, ticket.Progress.Received, "what has come");
                }
                Ground.Same(0, ticket.Progress.Sent, "of a request that is over");

                string path = Path.Combine(Path.GetTempPath(), "turbohttp-" + Guid.NewGuid().ToString("N"));
                try
                {
                    TurboRequest download = Ground.Get("/bytes/" + Large).ToFile(path);
                    using (Ground.Pump(client, client.SendAsync(download, out ticket).AsTask()))
                    {
                        Ground.Same(Large, ticket.Progress.Received, "the bytes of the file");
                        Ground.Same(Large, ticket.Progress.ToReceive, "the bytes that it has in all");
                    }
                }
                finally
                {
                    File.Delete(path);
                }
            }
        }

        internal static void Cookies()
        {
            const string Line = "127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tsession\t42";
            TurboClientOptions options = new TurboClientOptions { Mode = TurboMode.Pumped, Cookies = true };
            using (TurboClient client = new TurboClient(options))
            {
                client.ImportCookies(Line);
                string head = Encoding.ASCII.GetString(Ground.Pump(client, Ground.Complete(client, Ground.Get("/headers"))));
                Ground.Check(head.ToLowerInvariant().Contains("cookie: session=42"), "the cookie is sent: " + head);
                Ground.Check(client.ExportCookies().Contains("\tsession\t42"), "the cookies: " + client.ExportCookies());
                StringBuilder many = new StringBuilder();
                for (int i = 0; i < 40; i++)
                {
                    many.Append("127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tn").Append(i).Append('\t').Append('v', 200).Append('\n');
                }
                client.ImportCookies(many.ToString());
                Ground.Check(client.ExportCookies().Length > 40 * 200, "more cookies than fit at first");
                TurboException wrong = Ground.Throws<TurboException>(() => client.ImportCookies("no cookie"), "a wrong line");
                Ground.Check(wrong.Code == TurboError.Argument, "the code of a wrong line: " + wrong.Code);
            }
            using (TurboClient client = Ground.Pumped())
            {
                TurboException none = Ground.Throws<TurboException>(() => client.ExportCookies(), "a client without cookies");
                Ground.Check(none.Code == TurboError.State, "the code of a client without cookies: " + none.Code);
            }
        }

        internal static void Resolve()
        {
            Uri server = new Uri(Ground.Url);
            TurboClientOptions options = new TurboClientOptions
            {
                Mode = TurboMode.Pumped,
                Resolve = "named.test=" + server.Host,
                LocalAddress = "127.0.0.1",
                IpVersion = 4,
                RatePerHost = 1000,
                Ageing = TimeSpan.FromSeconds(1),
                Lifetime = TimeSpan.FromMinutes(1)
            };
            using (TurboClient client = new TurboClient(options))
            {
                TurboRequest request = new TurboRequest("http://named.test:" + server.Port + "/small");
                Ground.Same(13, Ground.Pump(client, Ground.Complete(client, request)).Length, "the body");
            }
            TurboException wrong = Ground.Throws<TurboException>(
                () => new TurboClient(new TurboClientOptions { IpVersion = 5 }).Dispose(), "a wrong version");
            Ground.Check(wrong.Message.Contains("ip_version"), "the option is named: " + wrong.Message);
        }
    }
}
