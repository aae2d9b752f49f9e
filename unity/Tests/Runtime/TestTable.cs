namespace TurboHttp.Tests
{
    /// <summary>All tests. They run one after the other, each on the thread of the runner.</summary>
    internal static class TestTable
    {
        internal static readonly TestCase[] All =
        {
            new TestCase("parallel without a context", ThreadCases.ParallelWithoutContext),
            new TestCase("parallel with a context", ThreadCases.ParallelWithContext),
            new TestCase("cancel from another thread", ThreadCases.CancelFromAnotherThread),
            new TestCase("pump on another thread is refused", ThreadCases.PumpOnAnotherThread),
            new TestCase("pump inside a pump is refused", ThreadCases.PumpInsidePump),
            new TestCase("submits of four threads", ThreadCases.SubmitsOfFourThreads),
            new TestCase("a failing continuation does not stop the pump", ThreadCases.FailingContinuation),
            new TestCase("the pump keeps to its budget", ThreadCases.PumpBudget),
            new TestCase("a client with a background thread", ThreadCases.Worker),
            new TestCase("a background client disposed in flight", ThreadCases.WorkerDispose),

            new TestCase("head and body", RequestCases.HeadAndBody),
            new TestCase("request fields and bytes", RequestCases.FieldsAndBytes),
            new TestCase("trailers", RequestCases.Trailers),
            new TestCase("connect failure", RequestCases.ConnectFailure),
            new TestCase("wrong URL", RequestCases.WrongUrl),
            new TestCase("time limit", RequestCases.TimeLimit),
            new TestCase("canceled before it is sent", RequestCases.CanceledBefore),
            new TestCase("stale handles are refused", RequestCases.Stale),
            new TestCase("a task is awaited once", RequestCases.AwaitedOnce),
            new TestCase("fields change in place", RequestCases.FieldsChange),
            new TestCase("priorities", RequestCases.Priorities),
            new TestCase("limit of a host", RequestCases.HostLimit),
            new TestCase("pause of a host", RequestCases.HostPause),
            new TestCase("timeline", RequestCases.Timeline),
            new TestCase("monitor", RequestCases.Monitor),

            new TestCase("4 MiB under a window of 64 KiB", BodyCases.Window),
            new TestCase("peek and consume", BodyCases.Peek),
            new TestCase("blocking read on the pumping thread", BodyCases.BlockingRead),
            new TestCase("a body cut off", BodyCases.CutOff),
            new TestCase("dispose while a read waits", BodyCases.DisposeWhileReading),
            new TestCase("cancel of a read", BodyCases.CancelRead),
            new TestCase("download to a file", BodyCases.ToFile),
            new TestCase("body that is dropped", BodyCases.ToNothing),
            new TestCase("upload of a file", BodyCases.FromFile),
            new TestCase("upload stream", BodyCases.UploadStream),
            new TestCase("upload that nobody reads is canceled", BodyCases.UploadCanceled),

            new TestCase("progress", ProgressCases.UpAndDown),
            new TestCase("cookies come in and go out", ProgressCases.Cookies),
            new TestCase("a name that is resolved by hand", ProgressCases.Resolve),

            new TestCase("HttpClient: repeated fields", HttpClientCases.RepeatedFields),
            new TestCase("HttpClient: pumped", HttpClientCases.Pumped),
            new TestCase("HttpClient: content and stream", HttpClientCases.ContentAndStream),
            new TestCase("HttpClient: failures", HttpClientCases.Failures),
            new TestCase("HttpClient: waits one after the other", HttpClientCases.Blocking),

            new TestCase("shutdown with 20 in flight", EndCases.ShutdownInFlight),
            new TestCase("shutdown that drains", EndCases.ShutdownDrains),
            new TestCase("dispose with 20 in flight", EndCases.DisposeInFlight),
            new TestCase("dispose inside a continuation", EndCases.DisposeInContinuation),
            new TestCase("a client that another epoch destroys", EndCases.NextEpoch),
            new TestCase("leaked clients are reclaimed", EndCases.LeakedClients),

            new TestCase("no managed bytes of 2,000 requests", CostCases.NoManagedBytes),
            new TestCase("10,000 requests", CostCases.Soak),
            new TestCase("nothing is left", EndCases.NothingLeft),
        };
    }
}
