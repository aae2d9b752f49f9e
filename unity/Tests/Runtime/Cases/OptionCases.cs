using System;
using System.Collections.Generic;
using System.Text;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    /// <summary>What a client can be told by its options, seen by its server.</summary>
    internal static class OptionCases
    {
        /// <summary>Ten times <see cref="Coded"/>, by gzip.</summary>
        private const string Gzip = "H4sIAAAAAAAC//NIzcnJ11FIzs8tKEotLk5NUSjPL8pJUfQYpuIAwiauP/AAAAA=";
        private const string Coded = "Hello, compressed world!";

        private static TurboClient Client(TurboClientOptions options)
        {
            options.Mode = TurboMode.Pumped;
            return new TurboClient(options);
        }

        private static byte[] Ok(string head)
        {
            return AnswerServer.Answer("200 OK", string.Empty, "ok");
        }

        /// <summary>The status, behind it the number of attempts, the URL and the body.</summary>
        private static string Exchange(TurboClient client, TurboRequest request)
        {
            return Ground.Pump(client, Summary(client, request));
        }

        private static async Task<string> Summary(TurboClient client, TurboRequest request)
        {
            using (TurboResponse response = await client.SendAsync(request))
            {
                string text = await response.ReadStringAsync();
                return response.Status + " " + response.Timeline.Attempts + " " + response.Url + " " + text;
            }
        }

        internal static void Fields()
        {
            TurboClientOptions options = new TurboClientOptions { UserAgent = "game/1" };
            options.Headers.Add("x-every", "1");
            using (AnswerServer server = new AnswerServer(Ok))
            using (TurboClient client = Client(options))
            {
                Ground.Pump(client, Ground.Complete(client, new TurboRequest(server.Url)));
                Ground.Pump(client, Ground.Complete(client, new TurboRequest(server.Url).Header("x-every", "2")));
                string[] heads = server.Heads;
                Ground.Same("game/1", AnswerServer.Field(heads[0], "user-agent"), "the agent");
                Ground.Same("1", AnswerServer.Field(heads[0], "x-every"), "the field of every request");
                Ground.Check(heads[1].Contains("x-every: 2") && !heads[1].Contains("x-every: 1"), "the field of one: " + heads[1]);
            }
        }

        internal static void Redirects()
        {
            using (TurboClient follows = Ground.Pumped())
            using (TurboClient gives = Client(new TurboClientOptions { NoRedirects = true }))
            {
                string small = Ground.Url + "/small Hello, world!";
                string followed = Exchange(follows, Ground.Get("/status/302"));
                Ground.Check(followed.StartsWith("200 ") && followed.EndsWith(small), "a redirect that is followed: " + followed);
                string given = Exchange(gives, Ground.Get("/status/302"));
                Ground.Check(given.StartsWith("302 1 " + Ground.Url + "/status/302"), "a redirect that is given: " + given);
            }
        }

        internal static void RedirectsMax()
        {
            int count = 0;
            using (AnswerServer server = new AnswerServer(
                head => AnswerServer.Answer("302 Found", "location: /" + ++count + "\r\n", string.Empty)))
            using (TurboClient client = Client(new TurboClientOptions { RedirectsMax = 3 }))
            {
                Ground.Fails(client, new TurboRequest(server.Url), TurboError.Redirect);
                Ground.Same(4, server.Heads.Length, "requests");
            }
        }

        internal static void Retries()
        {
            int count = 0;
            using (AnswerServer server = new AnswerServer(head =>
            {
                count++;
                return count == 2 || count == 4 ? AnswerServer.Answer("200 OK", string.Empty, "ok") : null;
            }))
            using (TurboClient retries = Client(new TurboClientOptions { RetriesMax = 2 }))
            using (TurboClient fails = Ground.Pumped())
            {
                string said = Exchange(retries, new TurboRequest(server.Url));
                Ground.Check(said.StartsWith("200 2 "), "the second attempt: " + said);
                TurboException exception = Ground.Throws<TurboException>(
                    () => Exchange(fails, new TurboRequest(server.Url)), "a client without retries");
                Ground.Check(exception.Code == TurboError.Io || exception.Code == TurboError.Protocol, "the code " + exception.Code);
                Ground.Same(3, server.Heads.Length, "requests");
            }
        }

        internal static void Cookies()
        {
            Func<string, byte[]> set = head => AnswerServer.Answer("200 OK", "set-cookie: session=abc; Path=/\r\n", "ok");
            using (AnswerServer server = new AnswerServer(set))
            using (TurboClient keeps = Client(new TurboClientOptions { Cookies = true }))
            using (TurboClient forgets = Ground.Pumped())
            {
                foreach (TurboClient client in new[] { keeps, forgets })
                {
                    Ground.Pump(client, Ground.Complete(client, new TurboRequest(server.Url + "/login")));
                    Ground.Pump(client, Ground.Complete(client, new TurboRequest(server.Url + "/page")));
                }
                string[] heads = server.Heads;
                Ground.Same(4, heads.Length, "requests");
                Ground.Check(AnswerServer.Field(heads[0], "cookie") == null, "a cookie before there is one");
                Ground.Same("session=abc", AnswerServer.Field(heads[1], "cookie"), "the cookie that is kept");
                Ground.Check(AnswerServer.Field(heads[3], "cookie") == null, "a cookie that is not kept");
            }
        }

        internal static void Decoding()
        {
            byte[] bytes = Convert.FromBase64String(Gzip);
            Func<string, byte[]> gzip = head => AnswerServer.Answer("200 OK", "content-encoding: gzip\r\n", bytes);
            using (AnswerServer server = new AnswerServer(gzip))
            using (TurboClient decodes = Ground.Pumped())
            using (TurboClient gives = Client(new TurboClientOptions { NoDecoding = true }))
            {
                byte[] decoded = Ground.Pump(decodes, Ground.Complete(decodes, new TurboRequest(server.Url)));
                Ground.Same(string.Concat(System.Linq.Enumerable.Repeat(Coded, 10)), Encoding.ASCII.GetString(decoded), "the text");
                byte[] given = Ground.Pump(gives, Ground.Complete(gives, new TurboRequest(server.Url)));
                Ground.Same(Gzip, Convert.ToBase64String(given), "the bytes");
                string accepted = AnswerServer.Field(server.Heads[0], "accept-encoding");
                Ground.Check(accepted != null && accepted.Contains("gzip"), "what is asked for: " + accepted);
            }
        }

        internal static void BrokenCoding()
        {
            Func<string, byte[]> broken = head => AnswerServer.Answer("200 OK", "content-encoding: gzip\r\n", "no gzip at all");
            using (AnswerServer server = new AnswerServer(broken))
            using (TurboClient client = Ground.Pumped())
            {
                Ground.Fails(client, new TurboRequest(server.Url), TurboError.Decode);
            }
        }

        internal static void Proxy()
        {
            using (AnswerServer proxy = new AnswerServer(Ok))
            using (TurboClient client = Client(new TurboClientOptions
            {
                Proxy = proxy.Url, ProxyUser = "user", ProxyPassword = "secret"
            }))
            {
                string said = Exchange(client, new TurboRequest("http://origin.test/path"));
                Ground.Same("200 1 http://origin.test/path ok", said, "the exchange");
                string head = proxy.Heads[0];
                Ground.Check(head.StartsWith("get http://origin.test/path http/1.1\r\n"), "the request line: " + head);
                Ground.Same("origin.test", AnswerServer.Field(head, "host"), "the host");
                Ground.Same(Basic("user:secret"), AnswerServer.Field(head, "proxy-authorization"), "the credentials");
            }
            using (TurboClient client = Client(new TurboClientOptions { Proxy = ScriptServer.DeadUrl() }))
            {
                TurboException exception = Ground.Throws<TurboException>(
                    () => Exchange(client, new TurboRequest("http://origin.test/")), "a dead proxy");
                Ground.Check(exception.Code == TurboError.Proxy || exception.Code == TurboError.Connect, "the code " + exception.Code);
            }
        }

        /// <summary>The heads are compared in lower case, so this is too.</summary>
        private static string Basic(string pair)
        {
            return "basic " + Convert.ToBase64String(Encoding.ASCII.GetBytes(pair)).ToLowerInvariant();
        }

        private static byte[] Challenge(string head, string challenge)
        {
            bool knows = AnswerServer.Field(head, "authorization") != null;
            return knows ? Ok(head) : AnswerServer.Answer("401 Unauthorized", "www-authenticate: " + challenge + "\r\n", "who?");
        }

        private static TurboClientOptions Credentials(TurboAuth auth, string origin)
        {
            return new TurboClientOptions { Auth = auth, AuthOrigin = origin, AuthUser = "user", AuthPassword = "secret" };
        }

        internal static void BasicAndBearer()
        {
            foreach (TurboAuth auth in new[] { TurboAuth.Basic, TurboAuth.Bearer })
            {
                string challenge = auth == TurboAuth.Basic ? "Basic realm=\"r\"" : "Bearer";
                using (AnswerServer server = new AnswerServer(head => Challenge(head, challenge)))
                using (AnswerServer other = new AnswerServer(Ok))
                using (TurboClient client = Client(Credentials(auth, server.Url)))
                {
                    string said = Exchange(client, new TurboRequest(server.Url));
                    Ground.Check(said.StartsWith("200 "), auth + ": " + said);
                    string[] heads = server.Heads;
                    string expected = auth == TurboAuth.Basic ? Basic("user:secret") : "bearer secret";
                    Ground.Same(expected, AnswerServer.Field(heads[heads.Length - 1], "authorization"), "the credentials");
                    Ground.Pump(client, Ground.Complete(client, new TurboRequest(other.Url)));
                    Ground.Check(AnswerServer.Field(other.Heads[0], "authorization") == null, "credentials to another origin");
                }
            }
        }

        internal static void Digest()
        {
            const string Challenged = "Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256";
            string authorization = null;
            using (AnswerServer server = new AnswerServer(head =>
            {
                authorization = AnswerServer.Field(head, "authorization");
                return Challenge(head, Challenged);
            }))
            using (TurboClient client = Client(Credentials(TurboAuth.Digest, server.Url)))
            {
                string said = Exchange(client, new TurboRequest(server.Url + "/secret"));
                Ground.Check(said.StartsWith("200 "), "the exchange: " + said);
                Ground.Same(2, server.Heads.Length, "requests");
                string secret = Hash.Sha256("user:r:secret");
                string target = Hash.Sha256("GET:/secret");
                string expected = Hash.Sha256(secret + ":n1:" + Part(authorization, "nc") + ":" + Part(authorization, "cnonce")
                    + ":auth:" + target);
                Ground.Same(expected, Part(authorization, "response"), "the response to the challenge");
            }
        }

        /// <summary>The value of a parameter of a Digest field.</summary>
        private static string Part(string field, string name)
        {
            foreach (string part in field.Substring(field.IndexOf(' ')).Split(','))
            {
                string[] pair = part.Trim().Split(new[] { '=' }, 2);
                if (pair[0] == name)
                {
                    return pair[1].Trim('"');
                }
            }
            throw new TestFailure("there is no " + name + " in " + field);
        }

        internal static void ClosesWaiting()
        {
            using (TurboClient client = Client(new TurboClientOptions { PerHost = 1 }))
            {
                List<Task> tasks = new List<Task>();
                for (int i = 0; i < 4; i++)
                {
                    tasks.Add(Ground.Complete(client, Ground.Get("/delay/500")));
                }
                Ground.PumpUntil(client, () => client.Stats().Running == 1 && client.Stats().Waiting == 3);
                CloseReport report = client.Shutdown(TurboShutdown.CancelPending, TimeSpan.FromSeconds(20));
                Ground.PumpAll(client, tasks);
                Ground.Same(4, report.Accepted, "requests that were inside");
                Ground.Same(1, report.Completed, "those that ended by themselves");
                Ground.Same(3, report.Canceled, "those that were canceled");
                Ground.Same(0, report.Expired + report.Aborted + report.Failures, "others");
                Ground.Same(1, tasks.FindAll(task => task.Status == TaskStatus.RanToCompletion).Count, "tasks that succeeded");
            }
        }

        internal static void Http2InTheClear()
        {
            using (TurboClient client = Client(new TurboClientOptions { Http2PriorKnowledge = true }))
            {
                List<Task<string>> tasks = new List<Task<string>>();
                for (int i = 0; i < 20; i++)
                {
                    tasks.Add(Http2(client));
                }
                Ground.PumpUntil(client, () => tasks.TrueForAll(task => task.IsCompleted));
                tasks.ForEach(task => Ground.Same("True 2.0 100000", task.Result, "a response"));
                byte[] body = Ground.Pattern(200000);
                TurboRequest echo = new TurboRequest("POST", Ground.Url + "/echo").WithBody(body);
                Ground.CheckPattern(Ground.Pump(client, Ground.Complete(client, echo)), 0, body.Length, 0);
                Ground.Same(1, client.Stats().Connections, "connections");
                Ground.Same(1, client.CloseIdleConnections(), "connections that were closed");
            }
        }

        private static async Task<string> Http2(TurboClient client)
        {
            using (TurboResponse response = await client.SendAsync(Ground.Get("/bytes/100000")))
            {
                byte[] body = await response.ReadToEndAsync();
                Ground.CheckPattern(body, 0, body.Length, 0);
                return response.IsHttp2 + " " + response.Version + " " + body.Length;
            }
        }

        internal static void WrongOptions()
        {
            foreach (TurboClientOptions options in new[]
            {
                new TurboClientOptions { Proxy = "no URL" },
                new TurboClientOptions { RootPem = "no PEM" },
                new TurboClientOptions { Pins = "no pin" },
                new TurboClientOptions { CertificatePem = "alone" },
                new TurboClientOptions { Auth = TurboAuth.Basic, AuthUser = "user" },
                new TurboClientOptions { BodyWindow = 1 },
                new TurboClientOptions { UserAgent = "a\nb" },
            })
            {
                TurboException exception = Ground.Throws<TurboException>(() => Client(options), "an option");
                Ground.Check(exception.Message.Length > 5, "the text: " + exception.Message);
            }
        }
    }
}
