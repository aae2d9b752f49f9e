using System;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading;
using TurboHttp.Native;

namespace TurboHttp
{
    public sealed partial class TurboClient
    {
        private const int EventsOfOnePoll = 64;
        private const uint WorkerWaitMilliseconds = 50;
        private const int JoinMilliseconds = 1000;
        private const int WipedBytes = 4096;

        private readonly ThEvent[] events = new ThEvent[EventsOfOnePoll];
        private int nextEvent;
        private int eventCount;
        private int pumpThread;
        private bool isPumping;
        private Thread worker;
        private Worker workerState;
        private volatile bool isEnded;

        /// <summary>Whether this thread dispatches the events of this client.</summary>
        public bool IsPumpThread
        {
            get { return Thread.CurrentThread.ManagedThreadId == Volatile.Read(ref pumpThread); }
        }

        /// <summary>Whether the client was disposed to the end: the next pump runs the last continuations.</summary>
        internal bool IsEnded
        {
            get { return isEnded; }
        }

        /// <summary>Whether this is the background thread of this client.</summary>
        internal bool IsWorkerThread
        {
            get { return Mode == TurboMode.Worker && IsPumpThread; }
        }

        /// <summary>
        /// Dispatches events and returns their number. What awaits requests runs inside. It does not wait. It ends after
        /// <paramref name="maxEvents"/> events or, if that is positive, after about <paramref name="maxMilliseconds"/>; the
        /// rest stays for the next call.
        /// </summary>
        /// <exception cref="InvalidOperationException">This is not the thread that made the client, the client has a
        /// background thread, or the call comes out of a pump.</exception>
        public int Pump(int maxEvents = 256, int maxMilliseconds = 0)
        {
            if (Mode != TurboMode.Pumped)
            {
                throw new InvalidOperationException("The client has a background thread (TurboMode.Worker).");
            }
            if (!IsPumpThread)
            {
                throw new InvalidOperationException("The client is pumped by the thread that made it, number " + pumpThread
                    + ", not by thread " + Thread.CurrentThread.ManagedThreadId + ".");
            }
            if (isPumping)
            {
                throw new InvalidOperationException("The client is being pumped: a continuation cannot pump it.");
            }
            return PumpOnce(maxEvents, maxMilliseconds, 0);
        }

        /// <summary>Runs a continuation by the next pump.</summary>
        internal void Post(in Continuation continuation)
        {
            if (!continuation.IsPresent)
            {
                return;
            }
            Ready.Add(continuation);
            if (Mode != TurboMode.Worker)
            {
                return;
            }
            if (isEnded)
            {
                ThreadPool.QueueUserWorkItem(RunReadyOf, this);
            }
            else
            {
                NativeMethods.th_wake(Id);
            }
        }

        private int PumpOnce(int maxEvents, int maxMilliseconds, uint waitMilliseconds)
        {
            isPumping = true;
            try
            {
                if (nextEvent >= eventCount)
                {
                    eventCount = 0;
                }
                long end = maxMilliseconds > 0
                    ? Stopwatch.GetTimestamp() + maxMilliseconds * Stopwatch.Frequency / 1000
                    : long.MaxValue;
                int handled = Ready.Run();
                while (handled < maxEvents && (nextEvent < eventCount || Poll(ref waitMilliseconds)))
                {
                    ThEvent happened = events[nextEvent];
                    nextEvent++;
                    Operation operation = Table.Find(happened.user);
                    if (operation != null)
                    {
                        operation.OnEvent(happened);
                    }
                    handled++;
                    if (end != long.MaxValue && Stopwatch.GetTimestamp() >= end)
                    {
                        break;
                    }
                }
                handled += Ready.Run();
                CompleteClose();
                return handled;
            }
            finally
            {
                isPumping = false;
            }
        }

        private unsafe bool Poll(ref uint waitMilliseconds)
        {
            if (eventCount > 0 && eventCount < EventsOfOnePoll)
            {
                // The last poll took all there was; what has come since is for the next pump.
                nextEvent = 0;
                eventCount = 0;
                return false;
            }
            int count;
            fixed (ThEvent* first = events)
            {
                count = NativeMethods.th_poll(Id, first, EventsOfOnePoll, waitMilliseconds);
            }
            EndIfGone(count);
            waitMilliseconds = 0;
            nextEvent = 0;
            eventCount = Math.Max(0, count);
            return eventCount > 0;
        }

        /// <summary>
        /// Ends the requests of a client whose native part another one has destroyed, as the next epoch does, or which has
        /// panicked and refuses everything.
        /// </summary>
        private void EndIfGone(int polled)
        {
            if (polled < 0 && polled != NativeMethods.TH_BUSY && !IsDisposed)
            {
                Dispose(TimeSpan.Zero);
            }
        }

        private void RunAfterDispose()
        {
            if (Mode == TurboMode.Pumped)
            {
                if (IsPumpThread && !isPumping)
                {
                    Ready.Run();
                }
                return;
            }
            Thread running = worker;
            if (running != null && !ReferenceEquals(running, Thread.CurrentThread))
            {
                running.Join(JoinMilliseconds);
            }
        }

        private void StartWorker()
        {
            worker = new Thread(Worker.Run);
            worker.IsBackground = true;
            worker.Name = Name;
            pumpThread = worker.ManagedThreadId;
            workerState = new Worker(this, events);
            worker.Start(workerState);
        }

        /// <summary>
        /// Keeps a client with a background thread alive, since something is awaited. Called under the lock of the operation
        /// that is awaited, so that <see cref="LetGo"/> sees either this or the operation.
        /// </summary>
        internal void KeepAlive()
        {
            if (workerState != null && workerState.Kept == null)
            {
                workerState.Kept = this;
            }
        }

        /// <summary>Leaves the client to the collector if nothing is awaited, and the user has forgotten it.</summary>
        private void LetGo()
        {
            if (workerState.Kept == null)
            {
                return;
            }
            workerState.Kept = null;
            foreach (Operation operation in Table.Live())
            {
                if (operation.IsAwaited)
                {
                    workerState.Kept = this;
                    return;
                }
            }
            if (IsCloseAwaited)
            {
                workerState.Kept = this;
            }
        }

        /// <summary>Dispatches what the background thread has polled. False says that the client has ended.</summary>
        private bool Dispatch(int count)
        {
            EndIfGone(count);
            nextEvent = 0;
            eventCount = Math.Max(0, count);
            PumpOnce(int.MaxValue, 0, 0);
            if (isEnded)
            {
                RunReadyOf(this);
                return false;
            }
            if (IsDisposed)
            {
                // Another thread is about to end the requests that are left.
                Thread.Sleep(1);
            }
            if (count == 0)
            {
                LetGo();
            }
            return true;
        }

        /// <summary>Runs what became ready at the end of a client with a background thread.</summary>
        private static void RunReadyOf(object state)
        {
            ((TurboClient)state).Ready.Run();
        }

        /// <summary>
        /// The background thread. It ends when the client is disposed. While it waits it names the client by its number
        /// only, so that a client that nobody has anymore is collected, and the thread ends as well; unless a task of a
        /// request is not over, which nothing else may refer to.
        /// </summary>
        private sealed class Worker
        {
            private readonly uint id;
            private readonly WeakReference<TurboClient> client;
            private readonly ThEvent[] events;

            /// <summary>The client while a task of it is not over.</summary>
            internal volatile TurboClient Kept;

            internal Worker(TurboClient client, ThEvent[] events)
            {
                id = client.Id;
                this.client = new WeakReference<TurboClient>(client);
                this.events = events;
            }

            internal static void Run(object state)
            {
                Worker worker = (Worker)state;
                int count = worker.Wait();
                while (worker.Dispatch(count))
                {
                    if (count == 0)
                    {
                        Wipe();
                    }
                    count = worker.Wait();
                }
            }

            /// <summary>
            /// Overwrites the stack that dispatching has used: a collector that is conservative takes what is left there for
            /// references to the client.
            /// </summary>
            [MethodImpl(MethodImplOptions.NoInlining)]
            private static unsafe void Wipe()
            {
                byte* used = stackalloc byte[WipedBytes];
                for (int i = 0; i < WipedBytes; i++)
                {
                    Volatile.Write(ref used[i], 0);
                }
            }

            private unsafe int Wait()
            {
                fixed (ThEvent* first = events)
                {
                    return NativeMethods.th_poll(id, first, EventsOfOnePoll, WorkerWaitMilliseconds);
                }
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            private bool Dispatch(int count)
            {
                TurboClient target;
                return client.TryGetTarget(out target) && target.Dispatch(count);
            }
        }
    }
}
