using System;
using System.Threading.Tasks.Sources;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>The write of a request body that waits for room. Its operation is the lock.</summary>
    internal sealed class BodyWriter : IValueTaskSource
    {
        private readonly Operation operation;
        private Completion completion;
        private ReadOnlyMemory<byte> rest;
        private Exception error;

        internal BodyWriter(Operation operation)
        {
            this.operation = operation;
        }

        internal bool IsIdle
        {
            get { return completion.IsIdle; }
        }

        internal bool IsPending
        {
            get { return completion.IsPending; }
        }

        internal short Begin(ReadOnlyMemory<byte> source)
        {
            rest = source;
            error = null;
            return completion.Begin();
        }

        /// <summary>Writes again, after an event.</summary>
        internal Continuation Retry()
        {
            if (!completion.IsPending)
            {
                return default(Continuation);
            }
            int taken;
            int code = operation.WriteNow(rest.Span, out taken);
            rest = rest.Slice(taken);
            if (code == NativeMethods.TH_WOULD_BLOCK)
            {
                return default(Continuation);
            }
            error = code < 0 ? operation.WriteFailure(code) : null;
            return Complete();
        }

        /// <summary>Fails the write, because the exchange is over.</summary>
        internal Continuation End()
        {
            return completion.IsPending ? Abort(operation.WriteFailure(NativeMethods.TH_STATE)) : default(Continuation);
        }

        internal Continuation Abort(Exception reason)
        {
            if (!completion.IsPending)
            {
                return default(Continuation);
            }
            error = reason;
            return Complete();
        }

        private Continuation Complete()
        {
            rest = default(ReadOnlyMemory<byte>);
            return completion.Complete();
        }

        ValueTaskSourceStatus IValueTaskSource.GetStatus(short version)
        {
            lock (operation)
            {
                return completion.Status(version, error);
            }
        }

        void IValueTaskSource.OnCompleted(Action<object> action, object state, short version, ValueTaskSourceOnCompletedFlags how)
        {
            Continuation waiting = new Continuation(action, state, how);
            lock (operation)
            {
                if (completion.TryAwait(version, waiting))
                {
                    return;
                }
            }
            operation.Client.Post(waiting);
        }

        void IValueTaskSource.GetResult(short version)
        {
            lock (operation)
            {
                completion.Take(version);
                Exception failure = error;
                error = null;
                if (failure != null)
                {
                    throw failure;
                }
            }
        }
    }
}
