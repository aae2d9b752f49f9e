using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Throughput
{
    /// <summary>How many small requests per second a background thread makes, and how fast a body comes that is read in
    /// pumps of 16 ms. Figures to compare by hand: nothing here fails by time.</summary>
    internal static class Program
    {
        private const int Callers = 64;
        private const int Requests = 200000;
        private const int BodyBytes = 64 * 1024 * 1024;

        private static int left;

        private static int Main(string[] arguments)
        {
            if (arguments.Length != 1)
            {
                Console.Error.WriteLine("usage: Throughput.exe URL");
                return 2;
            }
            string url = arguments[0].TrimEnd('/');
            Small(url + "/small", 10000);
            Console.WriteLine("{0:F0} requests per second", Small(url + "/small", Requests));
            Console.WriteLine("{0:F1} MiB per second in pumps of 16 ms", Body(url + "/bytes/" + BodyBytes));
            return 0;
        }

        private static double Small(string url, int requests)
        {
            using (var client = new TurboClient(new TurboClientOptions { Mode = TurboMode.Worker }))
            {
                left = requests;
                Stopwatch clock = Stopwatch.StartNew();
                Task[] callers = new Task[Callers];
                for (int i = 0; i < callers.Length; i++)
                {
                    callers[i] = Call(client, url);
                }
                Task.WaitAll(callers);
                return requests / clock.Elapsed.TotalSeconds;
            }
        }

        private static async Task Call(TurboClient client, string url)
        {
            TurboRequest request = new TurboRequest(url);
            byte[] buffer = new byte[64];
            while (Interlocked.Decrement(ref left) >= 0)
            {
                using (TurboResponse response = await client.SendAsync(request))
                {
                    response.EnsureSuccess();
                    int bytes = 0;
                    int count;
                    while ((count = await response.ReadAsync(buffer)) > 0)
                    {
                        bytes += count;
                    }
                    if (bytes != 13)
                    {
                        throw new InvalidOperationException(bytes + " bytes");
                    }
                }
            }
        }

        private static double Body(string url)
        {
            using (var client = new TurboClient(new TurboClientOptions { Mode = TurboMode.Pumped }))
            {
                Task<long> reading = Read(client, url);
                Stopwatch clock = Stopwatch.StartNew();
                for (long frame = 1; !reading.IsCompleted; frame++)
                {
                    client.Pump();
                    long rest = frame * 16 - clock.ElapsedMilliseconds;
                    if (rest > 0)
                    {
                        Thread.Sleep((int)rest);
                    }
                }
                return reading.Result / 1048576.0 / clock.Elapsed.TotalSeconds;
            }
        }

        private static async Task<long> Read(TurboClient client, string url)
        {
            byte[] buffer = new byte[256 * 1024];
            long bytes = 0;
            using (TurboResponse response = await client.SendAsync(new TurboRequest(url)))
            {
                int count;
                while ((count = await response.ReadAsync(buffer)) > 0)
                {
                    bytes += count;
                }
            }
            return bytes;
        }
    }
}
