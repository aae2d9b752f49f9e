using System;
using System.Threading;
using System.Threading.Tasks.Sources;

namespace TurboHttp
{
    /// <summary>
    /// What runs when an operation is complete. It runs inside the pump whatever context was captured: the same frame, no post.
    /// </summary>
    internal struct Continuation
    {
        private static readonly ContextCallback InContext = RunBoxed;

        private readonly Action<object> action;
        private readonly object state;
        private readonly ExecutionContext context;

        internal Continuation(Action<object> action, object state, ValueTaskSourceOnCompletedFlags flags)
        {
            this.action = action;
            this.state = state;
            bool flows = (flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != 0;
            context = flows ? ExecutionContext.Capture() : null;
        }

        internal bool IsPresent
        {
            get { return action != null; }
        }

        /// <summary>Runs it, if there is one. Its exception is reported and goes no further.</summary>
        internal void Run()
        {
            if (action == null)
            {
                return;
            }
            try
            {
                if (context == null)
                {
                    action(state);
                }
                else
                {
                    ExecutionContext.Run(context, InContext, this);
                }
            }
            catch (Exception exception)
            {
                TurboRuntime.Report(exception);
            }
        }

        private static void RunBoxed(object boxed)
        {
            Continuation continuation = (Continuation)boxed;
            continuation.action(continuation.state);
        }
    }

    /// <summary>
    /// The state of one awaitable, used again for the next: a version, whether it is complete, and what waits for it.
    /// Its owner locks.
    /// </summary>
    internal struct Completion
    {
        private enum Phase
        {
            Idle,
            Pending,
            Complete
        }

        private short version;
        private Phase phase;
        private Continuation continuation;

        internal bool IsIdle
        {
            get { return phase == Phase.Idle; }
        }

        internal bool IsPending
        {
            get { return phase == Phase.Pending; }
        }

        internal bool IsComplete
        {
            get { return phase == Phase.Complete; }
        }

        internal short Version
        {
            get { return version; }
        }

        internal short Begin()
        {
            version++;
            phase = Phase.Pending;
            return version;
        }

        /// <summary>Completes it and returns what is to run, outside of the lock.</summary>
        internal Continuation Complete()
        {
            Continuation waiting = continuation;
            continuation = default(Continuation);
            phase = Phase.Complete;
            return waiting;
        }

        /// <summary>Stores what runs at the end. False says that it is complete already: the caller posts.</summary>
        internal bool TryAwait(short token, in Continuation waiting)
        {
            Check(token);
            if (phase == Phase.Complete)
            {
                return false;
            }
            if (continuation.IsPresent)
            {
                throw new InvalidOperationException("The task is awaited twice.");
            }
            continuation = waiting;
            return true;
        }

        /// <summary>Ends the use by this token.</summary>
        /// <exception cref="InvalidOperationException">It is not complete, or its result was taken before.</exception>
        internal void Take(short token)
        {
            Check(token);
            if (phase != Phase.Complete)
            {
                throw new InvalidOperationException("The task is not complete; await it. A thread that pumps cannot wait for it synchronously.");
            }
            phase = Phase.Idle;
        }

        internal void Check(short token)
        {
            if (token != version || phase == Phase.Idle)
            {
                throw new InvalidOperationException("The result of the task was taken before; a ValueTask is awaited once.");
            }
        }

        internal ValueTaskSourceStatus Status(short token, Exception error)
        {
            Check(token);
            if (phase != Phase.Complete)
            {
                return ValueTaskSourceStatus.Pending;
            }
            if (error == null)
            {
                return ValueTaskSourceStatus.Succeeded;
            }
            return error is OperationCanceledException ? ValueTaskSourceStatus.Canceled : ValueTaskSourceStatus.Faulted;
        }
    }
}
