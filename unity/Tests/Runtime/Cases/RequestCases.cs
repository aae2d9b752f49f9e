using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using TurboHttp.Native;

namespace TurboHttp.Tests
{
    internal static class RequestCases
    {
        internal static void HeadAndBody()
        {
            using (TurboClient client = Ground.Pumped())
            {
                Ground.Pump(client, CheckSmall(client));
            }
        }

        private static async Task CheckSmall(TurboClient client)
        {
            using (TurboResponse response = await client.SendAsync(Ground.Get("/small")))
            {
                Ground.Same(200, response.Status, "the status");
                Ground.Same("1.1", response.Version.ToString(), "the version");
                Ground.Same(13, response.ContentLength.Value, "the length");
                Ground.Same("13", response.Headers.Value("Content-Length"), "the field");
                Ground.Check(response.Headers.Value("x-none") == null, "a field that is not there");
                Ground.Same(Ground.Url + "/small", response.Url, "the URL");
                Ground.Same("Hello, world!", await response.ReadStringAsync(), "the body");
            }
        }

        internal static void FieldsAndBytes()
        {
            using (TurboClient client = Ground.Pumped())
            {
                TurboRequest shown = Ground.Get("/headers").Header("x-first", "1").Header("x-repeated", "2").Header("x-repeated", "3");
                string head = Encoding.ASCII.GetString(Ground.Pump(client, Ground.Complete(client, shown))).ToLowerInvariant();
                Ground.Check(head.Contains("x-first: 1") && head.Contains("x-repeated: 2") && head.Contains("x-repeated: 3"),
                    "the fields of the request: " + head);

                byte[] body = Ground.Pattern(10000);
                TurboRequest echo = new TurboRequest("POST", Ground.Url + "/echo").WithBody(body);
                for (int i = 0; i < 3; i++)
                {
                    byte[] back = Ground.Pump(client, Ground.Complete(client, echo));
                    Ground.Same(body.Length, back.Length, "the length of the echo");
                    Ground.CheckPattern(back, 0, back.Length, 0);
                }
                TurboRequest json = new TurboRequest("POST", Ground.Url + "/echo").WithJson("{\"a\":1}");
                Ground.Same("{\"a\":1}", Encoding.UTF8.GetString(Ground.Pump(client, Ground.Complete(client, json))), "the JSON");
                TurboRequest empty = new TurboRequest("POST", Ground.Url + "/echo").WithBody(new byte[0]);
                Ground.Same(0, Ground.Pump(client, Ground.Complete(client, empty)).Length, "the echo of nothing");
            }
        }

        internal static void Trailers()
        {
            using (TurboClient client = Ground.Pumped())
            {
                Ground.Pump(client, CheckTrailers(client));
            }
        }

        private static async Task CheckTrailers(TurboClient client)
        {
            using (TurboResponse response = await client.SendAsync(Ground.Get("/trailers/10")))
            {
                await response.ReadToEndAsync();
                TurboHeaders trailers;
                // The end of the body can be read before the event of the end is there.
                while (!response.TryGetTrailers(out trailers))
                {
                    await client.GetBytesAsync(Ground.Url + "/small");
                }
                Ground.Check(trailers.Value("x-trailer") != null, "the trailer");
            }
        }

        internal static void ConnectFailure()
        {
            using (TurboClient client = Ground.Pumped())
            {
                TurboException exception = Ground.Fails(client, new TurboRequest(ScriptServer.DeadUrl()), TurboError.Connect);
                Ground.Check(exception.Message.Length > 10, "the text: " + exception.Message);
                Ground.Note = exception.Message;
                Ground.Same(0, client.Stats().Requests, "requests that are left");
            }
        }

        internal static void WrongUrl()
        {
            using (TurboClient client = Ground.Pumped())
            {
                Ground.Fails(client, new TurboRequest("no URL at all"), TurboError.Argument);
                Ground.Fails(client, Ground.Get("/small").Header("a b", "c"), TurboError.Argument);
            }
        }

        internal static void TimeLimit()
        {
            using (TurboClient client = Ground.Pumped())
            {
                TurboRequest request = Ground.Get("/never");
                request.Timeout = TimeSpan.FromMilliseconds(100);
                TurboException exception = Ground.Fails(client, request, TurboError.Timeout);
                Ground.Check(exception.Timeline.Total >= TimeSpan.FromMilliseconds(100), "the timeline of the failure");
            }
        }

        internal static void CanceledBefore()
        {
            using (TurboClient client = Ground.Pumped())
            {
                ValueTask<TurboResponse> task = client.SendAsync(Ground.Get("/small"), new CancellationToken(true));
                Ground.Check(task.IsCanceled, "the task is canceled at once");
                Ground.Throws<OperationCanceledException>(() => task.GetAwaiter().GetResult(), "the result");
                Ground.Same(0, client.Stats().Submitted, "requests submitted");
            }
        }

        internal static void Stale()
        {
            TurboClient client = Ground.Pumped();
            TurboTicket ticket;
            TurboResponse response = Ground.Pump(client, client.SendAsync(Ground.Get("/small"), out ticket).AsTask());
            response.Dispose();
            response.Dispose();
            Ground.Throws<ObjectDisposedException>(() => Ground.Same(0, response.Status, "unreachable"), "the status");
            Ground.Throws<ObjectDisposedException>(() => response.Headers.Value("date"), "a field");
            Ground.Throws<ObjectDisposedException>(() => response.Read(new byte[1]), "a read");
            Ground.Check(!ticket.TrySetPriority(TurboPriority.Low), "the priority of a request that is over");
            ticket.Cancel();
            TurboTicket none = default(TurboTicket);
            none.Cancel();
            Ground.Throws<InvalidOperationException>(() => none.Upload.Finish(), "an upload of nothing");
            Ground.Same(NativeMethods.TH_STALE, NativeMethods.th_release(client.Id, 0xDEADBEEF), "a request that never was");
            uint id = client.Id;
            client.Dispose();
            Ground.Same(NativeMethods.TH_STALE, NativeMethods.th_wake(id), "a client that was destroyed");
            Ground.Throws<TurboException>(() => client.Stats(), "the stats of a client that was disposed");
            TurboException refused = Ground.Throws<TurboException>(
                () => client.SendAsync(Ground.Get("/small")).GetAwaiter().GetResult(), "a request of a disposed client");
            Ground.Check(refused.Code == TurboError.Shutdown, "the code of a disposed client");
        }

        internal static void AwaitedOnce()
        {
            using (TurboClient client = Ground.Pumped())
            {
                ValueTask<TurboResponse> task = client.SendAsync(Ground.Get("/small"));
                Ground.Throws<InvalidOperationException>(() => task.GetAwaiter().GetResult(), "a result before the end");
                ValueTask<TurboResponse> copy = task;
                Ground.PumpUntil(client, () => copy.IsCompleted);
                task.GetAwaiter().GetResult().Dispose();
                Ground.Throws<InvalidOperationException>(() => copy.GetAwaiter().GetResult(), "a second result");
            }
        }

        internal static void FieldsChange()
        {
            TurboFields fields = new TurboFields();
            fields.Add("A", "1");
            fields.Add("b", "2");
            fields.Add("a", "3");
            for (int i = 0; i < 1000; i++)
            {
                fields.Set("B", "value " + i);
            }
            Ground.Same(3, fields.Count, "fields after set");
            Ground.Check(fields.Arena.Length <= 512, "the arena grows: " + fields.Arena.Length);
            Ground.Check(fields.Remove("A") && !fields.Remove("A"), "remove");
            Ground.Same(1, fields.Count, "fields after remove");
            ThField field = fields.Fields[0];
            Ground.Same("value 999", Encoding.UTF8.GetString(fields.Arena, (int)field.value_off, (int)field.value_len), "the value");
            fields.Clear();
            Ground.Same(0, fields.Count, "fields after clear");
        }

        internal static void Priorities()
        {
            using (TurboClient client = new TurboClient(new TurboClientOptions { Mode = TurboMode.Pumped, PerHost = 1, Total = 1 }))
            {
                List<string> order = new List<string>();
                List<Task> tasks = new List<Task>();
                tasks.Add(Named(client, "first", "/delay/500", TurboPriority.Normal, order));
                Ground.PumpUntil(client, () => client.Stats().Running == 1);
                tasks.Add(Named(client, "low", "/small", TurboPriority.Low, order));
                tasks.Add(Named(client, "normal", "/small", TurboPriority.Normal, order));
                tasks.Add(Named(client, "high", "/small", TurboPriority.High, order));
                tasks.Add(Named(client, "critical", "/small", TurboPriority.Critical, order));
                TurboTicket ticket;
                Task<byte[]> raised = ReadAll(client.SendAsync(Low("/small"), out ticket), "raised", order);
                tasks.Add(raised);
                Ground.PumpUntil(client, () => client.Stats().Waiting == 5);
                Ground.Check(ticket.TrySetPriority(TurboPriority.Critical), "a request that waits");
                Ground.PumpAll(client, tasks);
                Ground.Same("first critical raised high normal low", string.Join(" ", order), "the order");
            }
        }

        private static TurboRequest Low(string path)
        {
            TurboRequest request = Ground.Get(path);
            request.Priority = TurboPriority.Low;
            return request;
        }

        private static Task<byte[]> Named(TurboClient client, string name, string path, TurboPriority priority, List<string> order)
        {
            TurboRequest request = Ground.Get(path);
            request.Priority = priority;
            return ReadAll(client.SendAsync(request), name, order);
        }

        private static async Task<byte[]> ReadAll(ValueTask<TurboResponse> sending, string name, List<string> order)
        {
            using (TurboResponse response = await sending)
            {
                order.Add(name);
                return await response.ReadToEndAsync();
            }
        }

        internal static void HostLimit()
        {
            using (TurboClient client = Ground.Pumped())
            {
                client.SetHostLimit(Ground.Url, 1);
                List<Task> tasks = new List<Task>();
                for (int i = 0; i < 5; i++)
                {
                    tasks.Add(Ground.Complete(client, Ground.Get("/delay/10")));
                }
                int most = 0;
                Ground.PumpUntil(client, () =>
                {
                    most = Math.Max(most, client.Stats().Running);
                    return tasks.TrueForAll(task => task.IsCompleted);
                });
                tasks.ForEach(task => task.GetAwaiter().GetResult());
                Ground.Same(1, most, "requests at once");
                Ground.Throws<TurboException>(() => client.SetHostLimit("no URL", 1), "the limit of nothing");
            }
        }

        internal static void HostPause()
        {
            using (TurboClient client = Ground.Pumped())
            {
                client.PauseHost(Ground.Url, TimeSpan.FromMilliseconds(300));
                TurboTimeline timeline = Ground.Pump(client, TimelineOf(client, "/small"));
                Ground.Check(timeline.Pause > TimeSpan.Zero, "time in the pause");
            }
        }

        internal static void Timeline()
        {
            using (TurboClient client = Ground.Pumped())
            {
                TurboTimeline first = Ground.Pump(client, TimelineOf(client, "/delay/50"));
                Ground.Check(first.IsPresent && first.Attempts == 1 && !first.IsReused, "the first request");
                Ground.Check(first.Connect > TimeSpan.Zero && first.Wait >= TimeSpan.FromMilliseconds(40), "its phases");
                Ground.Check(first.Total >= first.Connect + first.Wait, "its total");
                TurboTimeline second = Ground.Pump(client, TimelineOf(client, "/small"));
                Ground.Check(second.IsReused && second.Connect == TimeSpan.Zero, "the connection of the second request");
                Ground.Check(second.ConnectionId == first.ConnectionId, "its number");
            }
        }

        private static async Task<TurboTimeline> TimelineOf(TurboClient client, string path)
        {
            using (TurboResponse response = await client.SendAsync(Ground.Get(path)))
            {
                await response.ReadToEndAsync();
                TurboSpan[] spans = new TurboSpan[32];
                int count = response.CopySpans(spans);
                Ground.Check(count > 0, "no spans");
                for (int i = 0; i < count; i++)
                {
                    Ground.Check(spans[i].End >= spans[i].Start && spans[i].Phase <= TurboPhase.Receive, "span " + i);
                }
                return response.Timeline;
            }
        }

        internal static void Monitor()
        {
            TurboMonitor.Clear();
            TurboMonitor.IsEnabled = true;
            try
            {
                using (TurboClient client = Ground.Pumped())
                {
                    Ground.Pump(client, Ground.Complete(client, Ground.Get("/small")));
                    Ground.Fails(client, new TurboRequest(ScriptServer.DeadUrl()), TurboError.Connect);
                }
                TurboRecord[] records = TurboMonitor.Snapshot();
                Ground.Same(2, records.Length, "records");
                Ground.Check(records[0].Error == TurboError.Connect && records[0].Status == 0, "the failure");
                Ground.Check(records[1].Status == 200 && records[1].Spans.Count > 0, "the success");
                Ground.Check(records[1].Timeline.IsPresent, "its timeline");
            }
            finally
            {
                TurboMonitor.IsEnabled = false;
                TurboMonitor.Clear();
            }
        }
    }
}
