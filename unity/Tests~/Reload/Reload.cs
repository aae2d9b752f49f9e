using System;
using System.Diagnostics;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    /// <summary>
    /// Unloads domains with requests in flight, as the Editor does when it reloads, while the native library stays loaded.
    /// </summary>
    internal sealed class Reload : MarshalByRefObject
    {
        private const int InFlight = 20;

        private static int Main(string[] arguments)
        {
            if (arguments.Length < 1)
            {
                Console.Error.WriteLine("usage: Reload.exe URL [ROUNDS]");
                return 2;
            }
            int rounds = arguments.Length > 1 ? int.Parse(arguments[1]) : 200;
            string[] ways = { "left alone", "disposed when the domain unloads", "with a background thread" };
            long worst = 0;
            int left = 0;
            for (int way = 0; way < ways.Length; way++)
            {
                long slowest = 0;
                for (int i = 0; i < rounds; i++)
                {
                    slowest = Math.Max(slowest, Round(arguments[0], way));
                }
                int before = TurboRuntime.NativeClients;
                int destroyed = TurboRuntime.BeginEpoch();
                left += TurboRuntime.NativeClients;
                worst = Math.Max(worst, slowest);
                Console.WriteLine(ways[way] + ": " + rounds + " reloads, worst unload " + slowest + " ms, " + before
                    + " clients before the next epoch, " + destroyed + " destroyed by it, " + TurboRuntime.NativeClients + " left");
            }
            Console.WriteLine("turbohttp-reload: " + ways.Length * rounds + " reloads, worst unload " + worst + " ms, "
                + left + " clients left");
            return left == 0 ? 0 : 1;
        }

        private static long Round(string url, int way)
        {
            AppDomain domain = AppDomain.CreateDomain("round");
            Reload inside = (Reload)domain.CreateInstanceAndUnwrap(typeof(Reload).Assembly.FullName, typeof(Reload).FullName);
            inside.Start(url, way);
            Stopwatch watch = Stopwatch.StartNew();
            AppDomain.Unload(domain);
            return watch.ElapsedMilliseconds;
        }

        /// <summary>Runs in the child domain.</summary>
        private void Start(string url, int way)
        {
            TurboRuntime.BeginEpoch();
            TurboMode mode = way == 2 ? TurboMode.Worker : TurboMode.Pumped;
            TurboClient client = new TurboClient(new TurboClientOptions { Mode = mode });
            if (way == 1)
            {
                AppDomain.CurrentDomain.DomainUnload += (sender, arguments) => client.Dispose();
            }
            for (int i = 0; i < InFlight; i++)
            {
                ValueTask<TurboResponse> task = client.SendAsync(new TurboRequest(url.TrimEnd('/') + "/delay/2000"));
                GC.KeepAlive(task);
            }
            if (mode == TurboMode.Pumped)
            {
                client.Pump();
            }
        }
    }
}
