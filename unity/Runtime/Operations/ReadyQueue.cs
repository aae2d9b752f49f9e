using System.Collections.Generic;

namespace TurboHttp
{
    /// <summary>Continuations that became ready off the pump, until the pump runs them.</summary>
    internal sealed class ReadyQueue
    {
        private readonly object gate = new object();
        private readonly Queue<Continuation> ready = new Queue<Continuation>();

        internal void Add(in Continuation continuation)
        {
            if (!continuation.IsPresent)
            {
                return;
            }
            lock (gate)
            {
                ready.Enqueue(continuation);
            }
        }

        /// <summary>
        /// Runs as many as are there now, and returns their number. Each is taken by itself: at the end of a client with a
        /// background thread, another thread runs what becomes ready while the background thread is still busy here.
        /// </summary>
        internal int Run()
        {
            int count = Count();
            for (int ran = 0; ran < count; ran++)
            {
                Continuation next;
                if (!TryTake(out next))
                {
                    return ran;
                }
                next.Run();
            }
            return count;
        }

        private int Count()
        {
            lock (gate)
            {
                return ready.Count;
            }
        }

        private bool TryTake(out Continuation next)
        {
            lock (gate)
            {
                bool isThere = ready.Count > 0;
                next = isThere ? ready.Dequeue() : default(Continuation);
                return isThere;
            }
        }
    }
}
