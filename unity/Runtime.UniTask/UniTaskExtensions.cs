using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks.Sources;
using Cysharp.Threading.Tasks;

namespace TurboHttp
{
    /// <summary>Requests as UniTasks, without an allocation once the pool is warm.</summary>
    public static class UniTaskExtensions
    {
        /// <summary>As <see cref="TurboClient.SendAsync(TurboRequest, CancellationToken)"/>.</summary>
        public static UniTask<TurboResponse> SendUniTask(this TurboClient client, TurboRequest request,
            CancellationToken cancellation = default(CancellationToken))
        {
            TurboTicket ticket;
            return client.SendUniTask(request, out ticket, cancellation);
        }

        /// <summary>As the other, with a ticket.</summary>
        public static UniTask<TurboResponse> SendUniTask(this TurboClient client, TurboRequest request, out TurboTicket ticket,
            CancellationToken cancellation = default(CancellationToken))
        {
            short version;
            Operation operation = client.Begin(request, out ticket, cancellation, out version);
            return Source.Rent(operation, version);
        }

        /// <summary>The source of a UniTask over that of a request.</summary>
        private sealed class Source : IUniTaskSource<TurboResponse>
        {
            private const int PooledMax = 256;

            private static readonly Stack<Source> Pool = new Stack<Source>();

            private IValueTaskSource<TurboResponse> inner;
            private short innerVersion;
            private short version;

            internal static UniTask<TurboResponse> Rent(Operation operation, short operationVersion)
            {
                Source source;
                lock (Pool)
                {
                    source = Pool.Count > 0 ? Pool.Pop() : new Source();
                }
                source.inner = operation;
                source.innerVersion = operationVersion;
                return new UniTask<TurboResponse>(source, source.version);
            }

            public UniTaskStatus GetStatus(short token)
            {
                Check(token);
                return Status(inner.GetStatus(innerVersion));
            }

            public UniTaskStatus UnsafeGetStatus()
            {
                return inner == null ? UniTaskStatus.Succeeded : Status(inner.GetStatus(innerVersion));
            }

            public void OnCompleted(Action<object> continuation, object state, short token)
            {
                Check(token);
                inner.OnCompleted(continuation, state, innerVersion, ValueTaskSourceOnCompletedFlags.None);
            }

            void IUniTaskSource.GetResult(short token)
            {
                GetResult(token);
            }

            public TurboResponse GetResult(short token)
            {
                Check(token);
                IValueTaskSource<TurboResponse> source = inner;
                short sourceVersion = innerVersion;
                if (source.GetStatus(sourceVersion) == ValueTaskSourceStatus.Pending)
                {
                    throw new InvalidOperationException("The task is not complete; await it.");
                }
                inner = null;
                version++;
                lock (Pool)
                {
                    if (Pool.Count < PooledMax)
                    {
                        Pool.Push(this);
                    }
                }
                return source.GetResult(sourceVersion);
            }

            private void Check(short token)
            {
                if (token != version || inner == null)
                {
                    throw new InvalidOperationException("The result of the task was taken before.");
                }
            }

            private static UniTaskStatus Status(ValueTaskSourceStatus status)
            {
                switch (status)
                {
                    case ValueTaskSourceStatus.Pending:
                        return UniTaskStatus.Pending;
                    case ValueTaskSourceStatus.Succeeded:
                        return UniTaskStatus.Succeeded;
                    case ValueTaskSourceStatus.Canceled:
                        return UniTaskStatus.Canceled;
                    default:
                        return UniTaskStatus.Faulted;
                }
            }
        }
    }
}
