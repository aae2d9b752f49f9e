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

        /// <summary>What .NET calls the infinite time.</summary>
        private static readonly TimeSpan Endless = TimeSpan.FromMilliseconds(-1);

        private readonly object closeGate = new object();
        private volatile TaskCompletionSource<CloseReport> closing;

        /// <summary>
        /// Shuts the client down: new requests are refused, and those inside end as <paramref name="mode"/> says, at the
        /// latest when the time is up. A later call can make it stricter. The task ends by the pump, with the report. Responses
        /// can still be read afterwards; <see cref="Dispose()"/> frees the rest.
        /// </summary>
        public Task<CloseReport> ShutdownAsync(TurboShutdown mode, TimeSpan timeout)
        {
            uint milliseconds = Text.Milliseconds(Within(timeout));
            lock (closeGate)
            {
                Require(NativeMethods.th_client_shutdown(Id, (uint)mode, milliseconds));
                if (closing == null)
                {
                    closing = new TaskCompletionSource<CloseReport>();
                }
                KeepAlive();
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
            TimeSpan within = Within(timeout);
            TimeSpan limit = within < WaitMax ? within + Grace : WaitMax;
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

        /// <summary>A time from zero on: the infinite one of .NET is the longest, and any other below zero is none.</summary>
        private static TimeSpan Within(TimeSpan timeout)
        {
            if (timeout == Endless)
            {
                return TimeSpan.MaxValue;
            }
            return timeout > TimeSpan.Zero ? timeout : TimeSpan.Zero;
        }

        /// <summary>Whether a task may await the report of a shutdown.</summary>
        private bool IsCloseAwaited
        {
            get
            {
                lock (closeGate)
                {
                    return closing != null && !closing.Task.IsCompleted;
                }
            }
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
            TurboClient client = (TurboClient)state;
            TaskCompletionSource<CloseReport> waiting;
            // A shutdown that has found the client there has its task by now; one that comes later is refused.
            lock (client.closeGate)
            {
                waiting = client.closing;
            }
            if (waiting != null)
            {
                waiting.TrySetException(new TurboException(TurboError.Shutdown, "The client was disposed before its shutdown ended."));
            }
        }
    }
}
