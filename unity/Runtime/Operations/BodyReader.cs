using System;
using System.Threading.Tasks.Sources;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>The read of a response body that waits for bytes. Its operation is the lock.</summary>
    internal sealed class BodyReader : IValueTaskSource<int>
    {
        private readonly Operation operation;
        private Completion completion;
        private Memory<byte> target;
        private int count;
        private Exception error;

        internal BodyReader(Operation operation)
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

        internal short Begin(Memory<byte> buffer)
        {
            target = buffer;
            count = 0;
            error = null;
            return completion.Begin();
        }

        /// <summary>Reads again, after an event.</summary>
        internal Continuation Retry()
        {
            if (!completion.IsPending)
            {
                return default(Continuation);
            }
            int code = operation.ReadNow(target.Span, out count);
            if (code == NativeMethods.TH_WOULD_BLOCK)
            {
                return default(Continuation);
            }
            error = code < 0 ? operation.ReadFailure(code) : null;
            target = default(Memory<byte>);
            return completion.Complete();
        }

        internal Continuation Abort(Exception reason)
        {
            if (!completion.IsPending)
            {
                return default(Continuation);
            }
            error = reason;
            target = default(Memory<byte>);
            return completion.Complete();
        }

        ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short version)
        {
            lock (operation)
            {
                return completion.Status(version, error);
            }
        }

        void IValueTaskSource<int>.OnCompleted(Action<object> action, object state, short version,
            ValueTaskSourceOnCompletedFlags how)
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

        int IValueTaskSource<int>.GetResult(short version)
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
                return count;
            }
        }
    }
}
