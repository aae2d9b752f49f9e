using System.Collections.Generic;

namespace TurboHttp
{
    /// <summary>Continuations that became ready off the pump, until the pump runs them.</summary>
    internal sealed class ReadyQueue
    {
        private readonly object gate = new object();
        private List<Continuation> ready = new List<Continuation>();
        private List<Continuation> running = new List<Continuation>();

        internal void Add(in Continuation continuation)
        {
            if (!continuation.IsPresent)
            {
                return;
            }
            lock (gate)
            {
                ready.Add(continuation);
            }
        }

        /// <summary>Runs those that are there now, and returns their number. One thread at a time.</summary>
        internal int Run()
        {
            lock (gate)
            {
                if (ready.Count == 0)
                {
                    return 0;
                }
                List<Continuation> filled = ready;
                ready = running;
                running = filled;
            }
            int count = running.Count;
            for (int i = 0; i < count; i++)
            {
                running[i].Run();
            }
            running.Clear();
            return count;
        }
    }
}
