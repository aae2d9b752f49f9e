using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    internal static class ThreadCases
    {
        private sealed class CountingContext : SynchronizationContext
        {
            internal int Posts;

            public override void Post(SendOrPostCallback callback, object state)
            {
                Interlocked.Increment(ref Posts);
                base.Post(callback, state);
            }
        }

        internal static void ParallelWithoutContext()
        {
            Parallel200();
        }

        internal static void ParallelWithContext()
        {
            SynchronizationContext before = SynchronizationContext.Current;
            CountingContext context = new CountingContext();
            SynchronizationContext.SetSynchronizationContext(context);
            try
            {
                Parallel200();
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(before);
            }
            Ground.Same(0, context.Posts, "posts to the context");
        }

        private static void Parallel200()
        {
            using (TurboClient client = Ground.Pumped())
            {
                List<Task<int>> tasks = new List<Task<int>>();
                for (int i = 0; i < 200; i++)
                {
                    tasks.Add(OnOneThread(client, i % 2 == 0 ? "/small" : "/slow/1000/1"));
                }
                Ground.PumpUntil(client, () => tasks.TrueForAll(task => task.IsCompleted));
                int dispatches = 0;
                tasks.ForEach(task => dispatches += task.Result);
                Ground.Note = dispatches + " continuations, none on another thread";
            }
        }

        /// <summary>Checks the thread after each await; returns their number.</summary>
        private static async Task<int> OnOneThread(TurboClient client, string path)
        {
            int thread = Thread.CurrentThread.ManagedThreadId;
            int awaits = 1;
            byte[] buffer = new byte[256];
            using (TurboResponse response = await client.SendAsync(Ground.Get(path)))
            {
                Ground.Same(thread, Thread.CurrentThread.ManagedThreadId, "the thread of the head");
                while (await response.ReadAsync(buffer) > 0)
                {
                    awaits++;
                    Ground.Same(thread, Thread.CurrentThread.ManagedThreadId, "the thread of a read");
                }
            }
            return awaits;
        }

        internal static void CancelFromAnotherThread()
        {
            using (TurboClient client = Ground.Pumped())
            using (CancellationTokenSource source = new CancellationTokenSource())
            {
                Task<int> task = CanceledOn(client, source.Token);
                Thread canceler = new Thread(source.Cancel);
                canceler.Start();
                canceler.Join();
                Ground.Check(!task.IsCompleted, "the task ended outside of the pump");
                Ground.Same(Thread.CurrentThread.ManagedThreadId, Ground.Pump(client, task), "the thread of the end");
            }
        }

        private static async Task<int> CanceledOn(TurboClient client, CancellationToken token)
        {
            try
            {
                using (await client.SendAsync(Ground.Get("/never"), token))
                {
                    return 0;
                }
            }
            catch (OperationCanceledException exception)
            {
                Ground.Check(exception.CancellationToken == token, "the token of the exception");
                return Thread.CurrentThread.ManagedThreadId;
            }
        }

        internal static void PumpOnAnotherThread()
        {
            using (TurboClient client = Ground.Pumped())
            {
                Exception thrown = null;
                Thread thread = new Thread(() =>
                {
                    try
                    {
                        client.Pump();
                    }
                    catch (InvalidOperationException exception)
                    {
                        thrown = exception;
                    }
                });
                thread.Start();
                thread.Join();
                Ground.Check(thrown != null, "another thread could pump");
            }
        }

        internal static void PumpInsidePump()
        {
            using (TurboClient client = Ground.Pumped())
            {
                Ground.Pump(client, PumpAfter(client));
            }
        }

        private static async Task PumpAfter(TurboClient client)
        {
            using (await client.SendAsync(Ground.Get("/small")))
            {
                Ground.Throws<InvalidOperationException>(() => client.Pump(), "a pump inside a pump");
            }
        }

        internal static void SubmitsOfFourThreads()
        {
            using (TurboClient client = Ground.Pumped())
            {
                int pumping = Thread.CurrentThread.ManagedThreadId;
                int elsewhere = 0;
                int ended = 0;
                for (int t = 0; t < 4; t++)
                {
                    Thread thread = new Thread(() =>
                    {
                        for (int i = 0; i < 100; i++)
                        {
                            ValueTaskAwaiter<TurboResponse> awaiter = client.SendAsync(Ground.Get("/small")).GetAwaiter();
                            awaiter.UnsafeOnCompleted(() =>
                            {
                                awaiter.GetResult().Dispose();
                                elsewhere += Thread.CurrentThread.ManagedThreadId == pumping ? 0 : 1;
                                ended++;
                            });
                        }
                    });
                    thread.IsBackground = true;
                    thread.Start();
                }
                Ground.PumpUntil(client, () => ended == 400);
                Ground.Same(0, elsewhere, "continuations on another thread");
            }
        }

        internal static void FailingContinuation()
        {
            List<Exception> reported = new List<Exception>();
            Action<Exception> handler = reported.Add;
            TurboRuntime.UnhandledException += handler;
            try
            {
                using (TurboClient client = Ground.Pumped())
                {
                    for (int i = 0; i < 3; i++)
                    {
                        ValueTaskAwaiter<TurboResponse> awaiter = client.SendAsync(Ground.Get("/small")).GetAwaiter();
                        awaiter.UnsafeOnCompleted(() =>
                        {
                            awaiter.GetResult().Dispose();
                            throw new TestFailure("planted");
                        });
                    }
                    Task<byte[]> other = Ground.Complete(client, Ground.Get("/small"));
                    Ground.PumpUntil(client, () => other.IsCompleted && reported.Count == 3);
                    Ground.Same(13, other.Result.Length, "the body of the other request");
                }
            }
            finally
            {
                TurboRuntime.UnhandledException -= handler;
            }
        }

        internal static void PumpBudget()
        {
            using (TurboClient client = Ground.Pumped())
            {
                List<Task> tasks = new List<Task>();
                for (int i = 0; i < 10; i++)
                {
                    tasks.Add(Ground.Complete(client, Ground.Get("/small")));
                }
                int most = 0;
                Ground.PumpUntil(client, () =>
                {
                    most = Math.Max(most, client.Pump(1));
                    return client.Stats().Done == 10;
                });
                Ground.PumpAll(client, tasks);
                Ground.Same(1, most, "events of one pump");
            }
        }

        internal static void Worker()
        {
            using (TurboClient client = new TurboClient())
            {
                Ground.Same("Hello, world!", Ground.Wait(client.GetStringAsync(Ground.Url + "/small")), "the body");
                Ground.Throws<InvalidOperationException>(() => client.Pump(), "a pump beside the background thread");
            }
        }

        internal static void WorkerDispose()
        {
            TurboClient client = new TurboClient();
            List<Task<byte[]>> tasks = new List<Task<byte[]>>();
            for (int i = 0; i < 20; i++)
            {
                tasks.Add(Ground.Complete(client, Ground.Get("/never")));
            }
            client.Dispose();
            foreach (Task<byte[]> task in tasks)
            {
                AggregateException thrown = Ground.Throws<AggregateException>(() => Ground.Wait(task), "a request in flight");
                TurboException inner = (TurboException)thrown.InnerException;
                Ground.Check(inner.Code == TurboError.Shutdown, "the code of a request in flight: " + inner.Code + ", " + inner.Message);
            }
        }
    }
}
