using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    internal static class BodyCases
    {
        private const int Large = 4 * 1024 * 1024;
        private const int Small = 64 * 1024;

        internal static void Window()
        {
            using (TurboClient client = new TurboClient(new TurboClientOptions { Mode = TurboMode.Pumped, BodyWindow = Small }))
            {
                Ground.Same(Large, Ground.Pump(client, ReadChecked(client, "/bytes/" + Large)), "bytes read");
                long peak = client.Stats().BodyPeak;
                Ground.Check(peak > 0 && peak <= Small, "the most bytes that waited: " + peak);
                Ground.Note = "at most " + peak + " bytes waited";
            }
        }

        private static async Task<long> ReadChecked(TurboClient client, string path)
        {
            byte[] buffer = new byte[10000];
            long offset = 0;
            using (TurboResponse response = await client.SendAsync(Ground.Get(path)))
            {
                int count;
                while ((count = await response.ReadAsync(buffer)) > 0)
                {
                    Ground.CheckPattern(buffer, 0, count, offset);
                    offset += count;
                }
            }
            return offset;
        }

        internal static void Peek()
        {
            using (TurboClient client = new TurboClient(new TurboClientOptions { Mode = TurboMode.Pumped, BodyWindow = Small }))
            using (TurboResponse response = Ground.Pump(client, client.SendAsync(Ground.Get("/bytes/300000")).AsTask()))
            {
                long offset = 0;
                bool isOver = false;
                Ground.PumpUntil(client, () =>
                {
                    ReadOnlySpan<byte> content;
                    while (!isOver && response.TryPeek(out content))
                    {
                        isOver = content.Length == 0;
                        int half = (content.Length + 1) / 2;
                        for (int i = 0; i < half; i++)
                        {
                            Ground.Check(content[i] == (byte)((offset + i) % 251), "byte " + (offset + i) + " is wrong");
                        }
                        if (half > 0)
                        {
                            response.Consume(half);
                        }
                        offset += half;
                    }
                    return isOver;
                });
                Ground.Same(300000, offset, "bytes seen");
                Ground.Throws<TurboException>(() => response.Consume(1), "more than there is");
            }
        }

        internal static void BlockingRead()
        {
            using (TurboClient client = Ground.Pumped())
            {
                TurboResponse response = Ground.Pump(client, client.SendAsync(Ground.Get("/slow/1000/5")).AsTask());
                byte[] buffer = new byte[300];
                int total = 0;
                using (Stream stream = response.AsStream())
                {
                    int count;
                    while ((count = stream.Read(buffer, 0, buffer.Length)) > 0)
                    {
                        total += count;
                    }
                }
                Ground.Same(1000, total, "bytes read");
            }
        }

        internal static void CutOff()
        {
            using (TurboClient client = Ground.Pumped())
            {
                TurboException exception = Ground.Throws<TurboException>(
                    () => Ground.Pump(client, ReadChecked(client, "/drop/100000")), "the read");
                Ground.Check(exception.Code == TurboError.Io || exception.Code == TurboError.Protocol, "the code " + exception.Code);
                Ground.Note = exception.Code + ": " + exception.Message;
            }
        }

        internal static void DisposeWhileReading()
        {
            using (TurboClient client = Ground.Pumped())
            {
                TurboResponse response = Ground.Pump(client, client.SendAsync(Ground.Get("/slow/1000/1000")).AsTask());
                byte[] buffer = new byte[1000];
                Task<int> reading = null;
                Ground.PumpUntil(client, () =>
                {
                    reading = response.ReadAsync(buffer).AsTask();
                    return !reading.IsCompleted;
                });
                response.Dispose();
                Ground.Throws<ObjectDisposedException>(() => Ground.Pump(client, reading), "the read");
                Ground.Same(13, Ground.Pump(client, Ground.Complete(client, Ground.Get("/small"))).Length, "the next request");
            }
        }

        internal static void CancelRead()
        {
            using (TurboClient client = Ground.Pumped())
            using (CancellationTokenSource source = new CancellationTokenSource())
            using (TurboResponse response = Ground.Pump(client, client.SendAsync(Ground.Get("/slow/1000/2000")).AsTask()))
            {
                byte[] buffer = new byte[1000];
                Task<int> reading = null;
                Ground.PumpUntil(client, () =>
                {
                    reading = response.ReadAsync(buffer, source.Token).AsTask();
                    return !reading.IsCompleted;
                });
                source.Cancel();
                Ground.Throws<OperationCanceledException>(() => Ground.Pump(client, reading), "the read");
            }
        }

        internal static void ToFile()
        {
            string path = Path.Combine(Path.GetTempPath(), "turbohttp-" + Guid.NewGuid().ToString("N"));
            try
            {
                using (TurboClient client = Ground.Pumped())
                using (TurboResponse response = Ground.Pump(client, client.SendAsync(Ground.Get("/bytes/300000").ToFile(path)).AsTask()))
                {
                    Ground.Same(200, response.Status, "the status");
                }
                byte[] bytes = File.ReadAllBytes(path);
                Ground.Same(300000, bytes.Length, "the length of the file");
                Ground.CheckPattern(bytes, 0, bytes.Length, 0);
            }
            finally
            {
                File.Delete(path);
            }
        }

        internal static void ToNothing()
        {
            using (TurboClient client = Ground.Pumped())
            using (TurboResponse response = Ground.Pump(client, client.SendAsync(Ground.Get("/bytes/300000").ToNothing()).AsTask()))
            {
                Ground.Same(200, response.Status, "the status");
                Ground.Same(300000, response.ContentReceived, "the bytes of the body");
            }
        }

        internal static void FromFile()
        {
            string path = Path.Combine(Path.GetTempPath(), "turbohttp-" + Guid.NewGuid().ToString("N"));
            File.WriteAllBytes(path, Ground.Pattern(200000));
            try
            {
                using (TurboClient client = Ground.Pumped())
                {
                    TurboRequest request = new TurboRequest("PUT", Ground.Url + "/echo").WithFile(path);
                    byte[] back = Ground.Pump(client, Ground.Complete(client, request));
                    Ground.Same(200000, back.Length, "the length of the echo");
                    Ground.CheckPattern(back, 0, back.Length, 0);
                }
            }
            finally
            {
                File.Delete(path);
            }
        }

        internal static void UploadStream()
        {
            TurboClientOptions options = new TurboClientOptions { Mode = TurboMode.Pumped, UploadWindow = Small };
            using (TurboClient client = new TurboClient(options))
            {
                Ground.Same(13, Ground.Pump(client, Upload(client, "/post", Large, Large)).Length, "the answer with a length");
                Ground.Same(13, Ground.Pump(client, Upload(client, "/post", Large, null)).Length, "the answer without one");
                byte[] back = Ground.Pump(client, Upload(client, "/echo", 300000, null));
                Ground.Same(300000, back.Length, "the length of the echo");
                Ground.CheckPattern(back, 0, back.Length, 0);
            }
        }

        private static async Task<byte[]> Upload(TurboClient client, string path, int size, long? announced)
        {
            TurboTicket ticket;
            TurboRequest request = new TurboRequest("POST", Ground.Url + path).WithStream(announced);
            ValueTask<TurboResponse> sending = client.SendAsync(request, out ticket);
            byte[] all = Ground.Pattern(size);
            for (int start = 0; start < size; start += 100000)
            {
                await ticket.Upload.WriteAsync(new ReadOnlyMemory<byte>(all, start, Math.Min(100000, size - start)));
            }
            ticket.Upload.Finish();
            using (TurboResponse response = await sending)
            {
                byte[] back = await response.ReadToEndAsync();
                TurboException late = Ground.Throws<TurboException>(() => ticket.Upload.Write(new byte[1]), "a late write");
                Ground.Check(late.Code == TurboError.State, "the code of a late write: " + late.Code);
                return back;
            }
        }

        internal static void UploadCanceled()
        {
            TurboClientOptions options = new TurboClientOptions { Mode = TurboMode.Pumped, UploadWindow = Small };
            using (TurboClient client = new TurboClient(options))
            using (ScriptServer server = new ScriptServer(string.Empty))
            {
                TurboTicket ticket;
                TurboRequest request = new TurboRequest("POST", server.Url).WithStream(null);
                // The server closes after the head; or the write ends by the cancel. Both ends are typed.
                Task<TurboResponse> sending = client.SendAsync(request, out ticket).AsTask();
                Task writing = ticket.Upload.WriteAsync(new byte[64 * Large]).AsTask();
                client.Pump();
                ticket.Cancel();
                Ground.Throws<TurboException>(() => Ground.Pump(client, writing), "the write");
                Ground.Throws<TurboException>(() => Ground.Pump(client, sending), "the request");
                Ground.Same(0, client.Stats().Requests, "requests that are left");
            }
        }
    }
}
