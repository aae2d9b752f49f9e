using System;
using System.Threading;
using System.Threading.Tasks;
using System.Threading.Tasks.Sources;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>
    /// One request from its submit until its response is disposed, and the awaitable of its head. It returns to the pool of
    /// the client afterwards.
    /// </summary>
    /// <remarks>
    /// Everything is done under the lock of the operation, apart from running continuations. <see cref="user"/> is its number;
    /// a response, an event or an upload with another number belongs to an earlier use. Locks are taken in the order
    /// operation, then table or queue.
    /// </remarks>
    internal sealed unsafe partial class Operation : IValueTaskSource<TurboResponse>
    {
        private static readonly Action<object> CancelRequest = CancelByToken;

        private readonly TurboClient client;
        private ulong user;
        private ulong request;
        private Completion head;
        private Exception error;
        private CancellationToken token;
        private CancellationTokenRegistration registration;
        private bool isOver;
        private bool waitsForEnd;
        private int status;
        private uint flags;
        private ulong contentLength;
        private ulong contentRead;
        private bool hasView;
        private ThHead view;
        private string method;
        private string url;

        internal Operation(TurboClient client)
        {
            this.client = client;
            reader = new BodyReader(this);
            writer = new BodyWriter(this);
        }

        /// <summary>Whether a task of this operation is not over.</summary>
        internal bool IsAwaited
        {
            get
            {
                lock (this)
                {
                    return head.IsPending || reader.IsPending || writer.IsPending;
                }
            }
        }

        internal TurboClient Client
        {
            get { return client; }
        }

        /// <summary>Submits the request. A failure is the result of the task.</summary>
        internal short Start(TurboRequest source, ulong number, CancellationToken cancellation)
        {
            short version;
            bool isSubmitted;
            lock (this)
            {
                version = head.Begin();
                Reset(source, number, cancellation);
                client.KeepAlive();
            }
            // No lock: an event may come before the submit returns. The operation cannot be recycled before the caller
            // has the task.
            ulong id;
            int code = ClientFactory.Submit(client.Id, source, number, out id);
            lock (this)
            {
                isSubmitted = code >= 0;
                if (isSubmitted)
                {
                    request = id;
                }
                else
                {
                    string text = code == NativeMethods.TH_STALE ? "The client was disposed." : Text.LastError();
                    error = new TurboException(Closed(code), text);
                    client.Table.Free(number);
                    user = 0;
                    head.Complete();
                }
            }
            if (isSubmitted && cancellation.CanBeCanceled)
            {
                Watch(number, cancellation);
            }
            return version;
        }

        /// <summary>Completes a task that is never submitted.</summary>
        internal short Refuse(ulong number, Exception exception)
        {
            lock (this)
            {
                short version = head.Begin();
                error = exception;
                client.Table.Free(number);
                head.Complete();
                return version;
            }
        }

        private static TurboError Closed(int code)
        {
            return code == NativeMethods.TH_STALE ? TurboError.Shutdown : (TurboError)code;
        }

        private void Reset(TurboRequest source, ulong number, CancellationToken cancellation)
        {
            user = number;
            request = 0;
            error = null;
            token = cancellation;
            registration = default(CancellationTokenRegistration);
            isOver = false;
            waitsForEnd = source.SinkKind != NativeMethods.TH_SINK_WINDOW;
            status = 0;
            flags = 0;
            contentLength = ulong.MaxValue;
            contentRead = 0;
            hasView = false;
            method = source.Method;
            url = source.Url;
        }

        private void Watch(ulong number, CancellationToken cancellation)
        {
            CancellationTokenRegistration made = cancellation.Register(CancelRequest, this, false);
            lock (this)
            {
                if (user == number && !isOver)
                {
                    registration = made;
                    return;
                }
            }
            made.Dispose();
        }

        private static void CancelByToken(object state)
        {
            Operation operation = (Operation)state;
            ulong id = Volatile.Read(ref operation.request);
            NativeMethods.th_cancel(operation.client.Id, id);
        }

        /// <summary>Cancels the exchange; its end comes by the pump.</summary>
        internal void Cancel(ulong number)
        {
            lock (this)
            {
                if (user == number && request != 0)
                {
                    NativeMethods.th_cancel(client.Id, request);
                }
            }
        }

        /// <summary>Says whether the request still waited and has the priority now.</summary>
        internal bool TrySetPriority(ulong number, TurboPriority priority)
        {
            lock (this)
            {
                return user == number && request != 0
                    && NativeMethods.th_set_priority(client.Id, request, (uint)priority) == NativeMethods.TH_OK;
            }
        }

        /// <summary>How far the request is; nothing of it once it is over.</summary>
        internal unsafe TurboProgress Progress(ulong number)
        {
            ThProgress progress = default(ThProgress);
            progress.struct_size = (uint)sizeof(ThProgress);
            lock (this)
            {
                if (user == number && request != 0)
                {
                    NativeMethods.th_progress(client.Id, request, &progress);
                }
            }
            return new TurboProgress(progress);
        }

        // Events, each on the pump.

        internal void OnEvent(in ThEvent happened)
        {
            switch (happened.kind)
            {
                case NativeMethods.TH_EVENT_HEADERS:
                    OnHeaders(happened);
                    break;
                case NativeMethods.TH_EVENT_READABLE:
                    OnReadable(happened);
                    break;
                case NativeMethods.TH_EVENT_WRITABLE:
                    OnWritable(happened);
                    break;
                case NativeMethods.TH_EVENT_DONE:
                    OnDone(happened);
                    break;
            }
        }

        private void OnHeaders(in ThEvent happened)
        {
            Continuation waiting;
            lock (this)
            {
                if (user != happened.user)
                {
                    return;
                }
                request = happened.request;
                status = (int)happened.status;
                flags = happened.flags;
                contentLength = happened.value;
                if (waitsForEnd || head.IsComplete)
                {
                    return;
                }
                waiting = head.Complete();
            }
            waiting.Run();
        }

        private void OnDone(in ThEvent happened)
        {
            Continuation waiting = default(Continuation);
            Continuation reading = default(Continuation);
            Continuation writing;
            lock (this)
            {
                if (user != happened.user)
                {
                    return;
                }
                isOver = true;
                request = happened.request;
                status = happened.status != 0 ? (int)happened.status : status;
                flags |= happened.flags;
                contentRead = happened.value;
                Unwatch();
                writing = writer.End();
                if (head.IsPending)
                {
                    if (happened.code < 0)
                    {
                        error = Failure(happened.code);
                        Release(happened.code);
                    }
                    waiting = head.Complete();
                }
                else
                {
                    reading = reader.Retry();
                }
            }
            writing.Run();
            reading.Run();
            waiting.Run();
        }

        /// <summary>Ends the operation of a client that was destroyed. What waits for it runs by the next pump.</summary>
        internal void OnClientGone()
        {
            lock (this)
            {
                if (user == 0)
                {
                    return;
                }
                Unwatch();
                TurboException gone = new TurboException(TurboError.Shutdown, "The client was disposed.");
                client.Ready.Add(writer.Abort(gone));
                client.Ready.Add(reader.Abort(gone));
                if (head.IsPending)
                {
                    error = gone;
                    client.Ready.Add(head.Complete());
                }
                isOver = true;
                client.Table.Free(user);
                user = 0;
            }
        }

        /// <summary>
        /// Ends the watch of the token, and waits for its callback if that runs, which takes no lock: under the lock of the
        /// operation, so that the callback finds the request that it is for, and no later one.
        /// </summary>
        private void Unwatch()
        {
            registration.Dispose();
            registration = default(CancellationTokenRegistration);
        }

        /// <summary>Waits for a reader of native memory. Those that come later find the client disposed.</summary>
        internal void CloseViews()
        {
            lock (this)
            {
                hasView = false;
            }
        }

        /// <exception cref="ObjectDisposedException">The views of this request are not valid any more.</exception>
        internal void CheckViews(ulong number)
        {
            lock (this)
            {
                CheckNumber(number);
                CheckViews();
            }
        }

        private void CheckViews()
        {
            if (client.IsDisposed)
            {
                throw new ObjectDisposedException("TurboClient");
            }
        }

        // The awaitable of the head.

        ValueTaskSourceStatus IValueTaskSource<TurboResponse>.GetStatus(short version)
        {
            lock (this)
            {
                return head.Status(version, error);
            }
        }

        void IValueTaskSource<TurboResponse>.OnCompleted(Action<object> action, object state, short version,
            ValueTaskSourceOnCompletedFlags how)
        {
            Continuation waiting = new Continuation(action, state, how);
            lock (this)
            {
                if (head.TryAwait(version, waiting))
                {
                    return;
                }
            }
            client.Post(waiting);
        }

        TurboResponse IValueTaskSource<TurboResponse>.GetResult(short version)
        {
            Exception failure;
            lock (this)
            {
                head.Take(version);
                failure = error;
                error = null;
                if (failure == null && user == 0)
                {
                    failure = new TurboException(TurboError.Shutdown, "The client was disposed.");
                }
                if (failure == null)
                {
                    return new TurboResponse(this, user);
                }
                RecycleIfIdle();
            }
            throw failure;
        }

        // The end.

        /// <summary>Gives up the response: cancels what runs, frees what is native.</summary>
        internal void Dispose(ulong number)
        {
            lock (this)
            {
                if (user != number || number == 0)
                {
                    return;
                }
                Unwatch();
                ObjectDisposedException gone = reader.IsPending || writer.IsPending ? Disposed() : null;
                client.Post(writer.Abort(gone));
                client.Post(reader.Abort(gone));
                Release(0);
                RecycleIfIdle();
            }
        }

        private void Release(int code)
        {
            if (TurboMonitor.IsEnabled)
            {
                Record(code);
            }
            NativeMethods.th_release(client.Id, request);
            client.Table.Free(user);
            user = 0;
            hasView = false;
        }

        private void RecycleIfIdle()
        {
            if (head.IsIdle && reader.IsIdle && writer.IsIdle)
            {
                client.Table.Recycle(this);
            }
        }

        private void Record(int code)
        {
            TurboSpan* spans = stackalloc TurboSpan[TurboMonitor.SpansMax];
            int count = NativeMethods.th_timeline_events(client.Id, request, (ThTimelineEvent*)spans, TurboMonitor.SpansMax);
            TurboMonitor.Add(method, url, status, (TurboError)code, (long)contentRead, Timeline(),
                new ReadOnlySpan<TurboSpan>(spans, Math.Max(0, Math.Min(count, TurboMonitor.SpansMax))));
        }

        /// <summary>The exception of a code of this request.</summary>
        private Exception Failure(int code)
        {
            if (client.IsDisposed && !token.IsCancellationRequested)
            {
                // The engine has nothing to say of a request of a client that was destroyed meanwhile.
                return new TurboException(TurboError.Shutdown, "The client was disposed.");
            }
            string text = Text.RequestError(client.Id, request);
            TurboException exception = new TurboException((TurboError)code, text, Timeline(), null);
            if (code == NativeMethods.TH_CANCELLED && token.IsCancellationRequested)
            {
                return new OperationCanceledException(exception.Message, exception, token);
            }
            return exception;
        }

        private static ObjectDisposedException Disposed()
        {
            return new ObjectDisposedException("TurboResponse", "The response was disposed, or its client was.");
        }

        private void CheckNumber(ulong number)
        {
            if (user != number || number == 0)
            {
                throw Disposed();
            }
        }
    }
}
