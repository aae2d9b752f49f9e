using System;
using System.Threading.Tasks;

namespace TurboHttp.Http
{
    /// <summary>
    /// Leaves the background thread of a client before foreign code runs: code written for HttpClient may wait synchronously
    /// for its next request, which that thread has to dispatch.
    /// </summary>
    internal static class Hop
    {
        private static readonly Action Nothing = DoNothing;

        internal static Task OffWorker(TurboClient client)
        {
            bool isWorker = client.Mode == TurboMode.Worker && client.IsPumpThread;
            return isWorker ? Task.Run(Nothing) : Task.CompletedTask;
        }

        private static void DoNothing()
        {
        }
    }
}
