using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    /// <summary>What several threads, or the collector, do at once.</summary>
    internal static class RaceCases
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

        /// <summary>A context that nothing pumps, as that of a thread which waits synchronously.</summary>
        private sealed class IdleContext : SynchronizationContext
        {
            internal int Posts;

            public override void Post(SendOrPostCallback callback, object state)
            {
                Interlocked.Increment(ref Posts);
            }
        }

        /// <summary>A read that waits, of a body with pauses of twenty seconds.</summary>
        private static ValueTaskAwaiter<int> PendingRead(TurboClient client)
        {
            TurboResponse response = Ground.Wait(client.SendAsync(Ground.Get("/slow/1000/20000")).AsTask());
            while (true)
            {
                ValueTaskAwaiter<int> reading = response.ReadAsync(new byte[1000]).GetAwaiter();
                if (!reading.IsCompleted)
                {
                    return reading;
                }
                reading.GetResult();
            }
        }

        private static void Require(WaitHandle happened, string what)
        {
            Ground.Check(happened.WaitOne(Patience), what + " did not happen");
        }

        /// <summary>The background thread runs what became ready while a pool thread runs what became ready later.</summary>
        internal static void EndedWhileBusy()
        {
            TurboClient client = new TurboClient();
            ManualResetEvent isBusy = new ManualResetEvent(false);
            ManualResetEvent goesOn = new ManualResetEvent(false);
            ManualResetEvent isFirst = new ManualResetEvent(false);
            ManualResetEvent firstGoesOn = new ManualResetEvent(false);
            ManualResetEvent isSecond = new ManualResetEvent(false);
            ManualResetEvent isLate = new ManualResetEvent(false);
            PendingRead(client).UnsafeOnCompleted(() =>
            {
                isFirst.Set();
                firstGoesOn.WaitOne(Patience);
            });
            PendingRead(client).UnsafeOnCompleted(() => isSecond.Set());
            ValueTaskAwaiter<TurboResponse> late = client.SendAsync(Ground.Get("/never")).GetAwaiter();
            ValueTaskAwaiter<TurboResponse> busy = client.SendAsync(Ground.Get("/small")).GetAwaiter();
            busy.UnsafeOnCompleted(() =>
            {
                isBusy.Set();
                goesOn.WaitOne(Patience);
            });
            Require(isBusy, "the request");
            Thread disposing = new Thread(client.Dispose);
            disposing.Start();
            Ground.Check(disposing.Join(Patience), "the dispose did not end");
            goesOn.Set();
            Require(isFirst, "the first continuation");
            late.UnsafeOnCompleted(() => isLate.Set());
            Require(isLate, "the late continuation");
            firstGoesOn.Set();
            Require(isSecond, "the second continuation");
        }

        /// <summary>A text is waited for on a thread whose context cannot run anything meanwhile.</summary>
        internal static void WaitWithContext()
        {
            SynchronizationContext before = SynchronizationContext.Current;
            IdleContext context = new IdleContext();
            using (TurboClient client = new TurboClient())
            using (TurboResponse response = Ground.Wait(client.SendAsync(Ground.Get("/slow/1000/20")).AsTask()))
            {
                SynchronizationContext.SetSynchronizationContext(context);
                try
                {
                    Ground.Same(1000, Ground.Wait(response.ReadStringAsync()).Length, "the length of the text");
                    Ground.Same(13, Ground.Wait(client.GetStringAsync(Ground.Url + "/small")).Length, "that of the other");
                    Ground.Same(13, Ground.Wait(client.GetBytesAsync(Ground.Url + "/small")).Length, "that of the bytes");
                }
                finally
                {
                    SynchronizationContext.SetSynchronizationContext(before);
                }
            }
            Ground.Same(0, context.Posts, "posts to the context");
        }

        /// <summary>Nothing refers to a client but the requests that are awaited: they end nevertheless.</summary>
        internal static void ForgottenInFlight()
        {
            List<Task<string>> tasks = new List<Task<string>>();
            OnOtherThread(() =>
            {
                for (int i = 0; i < 4; i++)
                {
                    tasks.Add(new TurboClient().GetStringAsync(Ground.Url + "/delay/300"));
                    tasks.Add(ReadForgotten(new TurboClient()));
                }
            });
            for (int i = 0; i < 10; i++)
            {
                OnOtherThread(Collect);
                Thread.Sleep(10);
            }
            foreach (Task<string> task in tasks)
            {
                Ground.Check(Ground.Wait(task).Length > 0, "a text");
            }
            // What the collector has not found yet is not for the tests that follow.
            int left = TurboRuntime.NativeClients;
            Ground.Check(TurboRuntime.BeginEpoch() <= left, "clients destroyed by the next epoch");
        }

        private static async Task<string> ReadForgotten(TurboClient client)
        {
            using (TurboResponse response = await client.SendAsync(Ground.Get("/slow/100/30")))
            {
                return await response.ReadStringAsync();
            }
        }

        private static void OnOtherThread(ThreadStart body)
        {
            Thread thread = new Thread(body);
            thread.Start();
            thread.Join();
        }

        private static void Collect()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        /// <summary>A client is disposed while another thread waits for its shutdown.</summary>
        internal static void DisposedWhileShuttingDown()
        {
            TurboClient client = new TurboClient();
            Task<byte[]> running = Ground.Complete(client, Ground.Get("/never"));
            Exception thrown = null;
            Thread waiting = new Thread(() =>
            {
                try
                {
                    client.Shutdown(TurboShutdown.Drain, TimeSpan.FromMinutes(1));
                }
                catch (Exception exception)
                {
                    thrown = exception;
                }
            });
            waiting.Start();
            for (bool isClosing = false; !isClosing; Thread.Sleep(1))
            {
                Task<byte[]> refused = Ground.Complete(client, Ground.Get("/small"));
                isClosing = ((IAsyncResult)refused).AsyncWaitHandle.WaitOne(Patience) && refused.IsFaulted;
            }
            client.Dispose();
            Ground.Check(waiting.Join(Patience), "the shutdown did not end");
            TurboException typed = thrown as TurboException;
            Ground.Check(typed != null && typed.Code == TurboError.Shutdown, "what the shutdown throws: " + thrown);
            Ground.Throws<AggregateException>(() => Ground.Wait(running), "the request");
        }

        /// <summary>Another thread disposes of a client: what awaits its shutdown runs by the pump nevertheless.</summary>
        internal static void ThreadOfShutdown()
        {
            TurboClient client = Ground.Pumped();
            Task<byte[]> running = Ground.Complete(client, Ground.Get("/never"));
            Task<int> ended = EndOfShutdown(client);
            OnOtherThread(client.Dispose);
            Ground.Same(Thread.CurrentThread.ManagedThreadId, Ground.Pump(client, ended), "the thread of the end");
            Ground.Throws<TurboException>(() => Ground.Pump(client, running), "the request");
        }

        private static async Task<int> EndOfShutdown(TurboClient client)
        {
            try
            {
                await client.ShutdownAsync(TurboShutdown.Drain, TimeSpan.FromMinutes(1));
            }
            catch (TurboException)
            {
                return Thread.CurrentThread.ManagedThreadId;
            }
            throw new TestFailure("the shutdown ended");
        }

        internal static void EndlessShutdown()
        {
            using (TurboClient client = new TurboClient())
            using (TurboClient pumped = Ground.Pumped())
            {
                Ground.Same(0, client.Shutdown(TurboShutdown.Drain, TimeSpan.MaxValue).Failures, "failures");
                Ground.Same(0, pumped.Shutdown(TurboShutdown.Drain, TimeSpan.MaxValue).Failures, "failures of the other");
            }
        }

        internal static void PumpThreadOfWorker()
        {
            using (TurboClient client = new TurboClient())
            {
                Ground.Check(!client.IsPumpThread, "the thread that made the client is its background thread");
                Ground.Check(Ground.Wait(IsThere(client)), "what awaits a request is on another thread");
            }
        }

        private static async Task<bool> IsThere(TurboClient client)
        {
            using (await client.SendAsync(Ground.Get("/delay/10")))
            {
                return client.IsPumpThread;
            }
        }

        /// <summary>A thread reads the fields and the URL of a response, in native memory, while its client is disposed.</summary>
        internal static void DisposedWhileFieldsAreRead()
        {
            for (int round = 0; round < 20; round++)
            {
                TurboClient client = new TurboClient();
                TurboResponse response = Ground.Wait(client.SendAsync(Ground.Get("/small")).AsTask());
                ManualResetEvent isReading = new ManualResetEvent(false);
                Exception wrong = null;
                Thread reader = new Thread(() =>
                {
                    try
                    {
                        while (true)
                        {
                            if (response.Headers.Value("content-length") != "13" || response.Headers.Values("content-length").Length != 1
                                || !response.Url.EndsWith("/small", StringComparison.Ordinal))
                            {
                                wrong = new InvalidOperationException("other fields");
                                return;
                            }
                            isReading.Set();
                        }
                    }
                    catch (ObjectDisposedException)
                    {
                        // The end that is awaited.
                    }
                    catch (Exception exception)
                    {
                        wrong = exception;
                    }
                });
                reader.Start();
                Require(isReading, "a read");
                client.Dispose();
                Ground.Check(reader.Join(Patience), "the reader does not end");
                Ground.Check(wrong == null, "the reader: " + wrong);
            }
        }
    }
}
