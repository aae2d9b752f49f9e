using System;
using System.Threading;
using Cysharp.Threading.Tasks;

namespace TurboHttp.Tests
{
    /// <summary>The adapter for UniTask over a stub of its types: results, cancellation, and no managed bytes.</summary>
    internal sealed class UniTaskProgram
    {
        private readonly TurboClient client = new TurboClient(new TurboClientOptions { Mode = TurboMode.Pumped });
        private readonly TurboRequest request;
        private readonly Action onHead;
        private UniTask<TurboResponse>.Awaiter awaiter;
        private int left;

        private UniTaskProgram(string url)
        {
            request = new TurboRequest(url + "/small").ToNothing();
            onHead = OnHead;
        }

        private static int Main(string[] arguments)
        {
            string url = arguments[0].TrimEnd('/');
            UniTaskProgram program = new UniTaskProgram(url);
            program.Run(200);
            long start = GC.GetAllocatedBytesForCurrentThread();
            program.Run(2000);
            long bytes = GC.GetAllocatedBytesForCurrentThread() - start;
            bool isCanceled = program.IsCanceled(url);
            program.client.Dispose();
            bool passes = bytes == 0 && isCanceled;
            Console.WriteLine("turbohttp-unitask: " + bytes + " managed bytes of 2,000 requests, canceled " + isCanceled + ": "
                + (passes ? "passed" : "failed"));
            return passes ? 0 : 1;
        }

        private void Run(int count)
        {
            left = count;
            Send();
            while (left > 0)
            {
                client.Pump();
            }
        }

        private void Send()
        {
            awaiter = client.SendUniTask(request).GetAwaiter();
            awaiter.UnsafeOnCompleted(onHead);
        }

        private void OnHead()
        {
            TurboResponse response = awaiter.GetResult();
            int status = response.Status;
            response.Dispose();
            left = status == 200 ? left - 1 : -1;
            if (left > 0)
            {
                Send();
            }
        }

        private bool IsCanceled(string url)
        {
            using (CancellationTokenSource source = new CancellationTokenSource())
            {
                UniTask<TurboResponse>.Awaiter never = client.SendUniTask(new TurboRequest(url + "/never"), source.Token).GetAwaiter();
                source.Cancel();
                while (!never.IsCompleted)
                {
                    client.Pump();
                }
                try
                {
                    never.GetResult();
                    return false;
                }
                catch (OperationCanceledException)
                {
                    return true;
                }
            }
        }
    }
}
