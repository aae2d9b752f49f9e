using System;
using System.Diagnostics;
using System.Threading.Tasks;
using TurboHttp.Native;

namespace TurboHttp
{
    public sealed partial class TurboClient
    {
        /// <summary>How much longer than its time limit a shutdown may take until the wait for its report is given up.</summary>
        private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

        /// <summary>The longest wait for a shutdown.</summary>
        private static readonly TimeSpan WaitMax = TimeSpan.FromDays(1);

        private readonly object closeGate = new object();
        private volatile TaskCompletionSource<CloseReport> closing;

        /// <summary>
        /// Shuts the client down: new requests are refused, and those inside end as <paramref name="mode"/> says, at the
        /// latest when the time is up. A later call can make it stricter. The task ends by the pump, with the report. Responses
        /// can still be read afterwards; <see cref="Dispose()"/> frees the rest.
        /// </summary>
        public Task<CloseReport> ShutdownAsync(TurboShutdown mode, TimeSpan timeout)
        {
            lock (closeGate)
            {
                Require(NativeMethods.th_client_shutdown(Id, (uint)mode, Text.Milliseconds(timeout)));
                if (closing == null)
                {
                    closing = new TaskCompletionSource<CloseReport>();
                }
                NativeMethods.th_wake(Id);
                return closing.Task;
            }
        }

        /// <summary>
        /// Shuts the client down and waits for it, at most one second longer than the time given, and at most a day. On the pumping thread it
        /// pumps meanwhile.
        /// </summary>
        /// <exception cref="TimeoutException">The report did not come in time.</exception>
        /// <exception cref="TurboException">The client was disposed before (<see cref="TurboError.Shutdown"/>).</exception>
        public CloseReport Shutdown(TurboShutdown mode, TimeSpan timeout)
        {
            if (isPumping && IsPumpThread)
            {
                throw new InvalidOperationException("A continuation cannot wait for the shutdown of its client.");
            }
            Task<CloseReport> task = ShutdownAsync(mode, timeout);
            TimeSpan limit = timeout < WaitMax ? timeout + Grace : WaitMax;
            if (Mode == TurboMode.Pumped && IsPumpThread)
            {
                Stopwatch watch = Stopwatch.StartNew();
                while (!task.IsCompleted && watch.Elapsed < limit)
                {
                    PumpOnce(int.MaxValue, 0, 5);
                }
            }
            else
            {
                ((IAsyncResult)task).AsyncWaitHandle.WaitOne(limit);
            }
            if (!task.IsCompleted)
            {
                throw new TimeoutException("The shutdown did not end in time.");
            }
            return task.GetAwaiter().GetResult();
        }

        private unsafe void CompleteClose()
        {
            TaskCompletionSource<CloseReport> waiting = closing;
            if (waiting == null || waiting.Task.IsCompleted)
            {
                return;
            }
            ThCloseReport report = default(ThCloseReport);
            report.struct_size = (uint)sizeof(ThCloseReport);
            if (NativeMethods.th_close_report(Id, &report) == NativeMethods.TH_OK)
            {
                waiting.TrySetResult(new CloseReport(report));
            }
        }

        /// <summary>Ends the task of a shutdown that the dispose of the client has overtaken. Runs as a continuation.</summary>
        private static void AbandonClose(object state)
        {
            TaskCompletionSource<CloseReport> waiting = ((TurboClient)state).closing;
            if (waiting != null)
            {
                waiting.TrySetException(new TurboException(TurboError.Shutdown, "The client was disposed before its shutdown ended."));
            }
        }
    }
}
