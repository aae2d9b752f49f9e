using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;

namespace TurboHttp.Tests
{
    internal static class CostCases
    {
        /// <summary>One request after the other without an async method, so that only the library could allocate.</summary>
        private sealed class Loop
        {
            private readonly TurboClient client;
            private readonly TurboRequest request = Ground.Get("/small").Header("accept", "*/*");
            private readonly byte[] buffer = new byte[64];
            private readonly Action onHead;
            private readonly Action onRead;
            private ValueTaskAwaiter<TurboResponse> head;
            private ValueTaskAwaiter<int> read;
            private TurboResponse response;
            private int left;

            internal Loop(TurboClient client)
            {
                this.client = client;
                onHead = OnHead;
                onRead = OnRead;
            }

            internal bool IsDone
            {
                get { return left == 0; }
            }

            internal long Bytes { get; private set; }

            internal void Start(int count)
            {
                left = count;
                Send();
            }

            private void Send()
            {
                head = client.SendAsync(request).GetAwaiter();
                head.UnsafeOnCompleted(onHead);
            }

            private void OnHead()
            {
                response = head.GetResult();
                Read();
            }

            private void Read()
            {
                while (true)
                {
                    read = response.ReadAsync(buffer).GetAwaiter();
                    if (!read.IsCompleted)
                    {
                        read.UnsafeOnCompleted(onRead);
                        return;
                    }
                    if (!Take())
                    {
                        return;
                    }
                }
            }

            private void OnRead()
            {
                if (Take())
                {
                    Read();
                }
            }

            /// <summary>Takes what was read. False says that the body has ended.</summary>
            private bool Take()
            {
                int count = read.GetResult();
                Bytes += count;
                if (count > 0)
                {
                    return true;
                }
                TurboHeader header;
                Ground.Check(response.Headers.TryFind("content-length", out header), "the field");
                response.Dispose();
                left--;
                if (left > 0)
                {
                    Send();
                }
                return false;
            }
        }

        private static byte[][] control;

        internal static void NoManagedBytes()
        {
            long start = GC.GetAllocatedBytesForCurrentThread();
            control = new byte[100][];
            for (int i = 0; i < control.Length; i++)
            {
                control[i] = new byte[1000];
            }
            bool counts = GC.GetAllocatedBytesForCurrentThread() - start >= 100000;
            using (TurboClient client = Ground.Pumped())
            {
                Loop[] loops = new Loop[8];
                for (int i = 0; i < loops.Length; i++)
                {
                    loops[i] = new Loop(client);
                }
                Run(client, loops, 50);
                start = GC.GetAllocatedBytesForCurrentThread();
                Run(client, loops, 250);
                long allocated = GC.GetAllocatedBytesForCurrentThread() - start;
                foreach (Loop loop in loops)
                {
                    Ground.Same(300 * 13, loop.Bytes, "bytes of the bodies");
                }
                Ground.Note = counts ? allocated + " bytes" : "this runtime does not count allocated bytes";
                Ground.Same(0, counts ? allocated : 0, "managed bytes of 2,000 requests");
            }
        }

        private static void Run(TurboClient client, Loop[] loops, int count)
        {
            for (int i = 0; i < loops.Length; i++)
            {
                loops[i].Start(count);
            }
            while (!AreDone(loops))
            {
                client.Pump();
            }
        }

        private static bool AreDone(Loop[] loops)
        {
            for (int i = 0; i < loops.Length; i++)
            {
                if (!loops[i].IsDone)
                {
                    return false;
                }
            }
            return true;
        }

        internal static void Soak()
        {
            using (TurboClient client = Ground.Pumped())
            {
                Loop[] loops = new Loop[50];
                for (int i = 0; i < loops.Length; i++)
                {
                    loops[i] = new Loop(client);
                }
                Run(client, loops, 200);
                TurboStats stats = client.Stats();
                Ground.Same(10000, stats.Submitted, "requests");
                Ground.Same(0, stats.Requests, "requests that are left");
                Ground.Check(stats.Connections <= 64, "connections: " + stats.Connections);
            }
        }
    }
}
