#if UNITY_2023_1_OR_NEWER
using System;
using System.Threading;
using System.Threading.Tasks.Sources;
using UnityEngine;

namespace TurboHttp
{
    /// <summary>Requests as Awaitables of Unity 2023.1 and newer.</summary>
    public static class AwaitableExtensions
    {
        private static readonly Action<object> OnCompleted = Complete;

        /// <summary>As <see cref="TurboClient.SendAsync(TurboRequest, CancellationToken)"/>.</summary>
        public static Awaitable<TurboResponse> SendAwaitable(this TurboClient client, TurboRequest request,
            CancellationToken cancellation = default(CancellationToken))
        {
            TurboTicket ticket;
            return client.SendAwaitable(request, out ticket, cancellation);
        }

        /// <summary>As the other, with a ticket.</summary>
        public static Awaitable<TurboResponse> SendAwaitable(this TurboClient client, TurboRequest request, out TurboTicket ticket,
            CancellationToken cancellation = default(CancellationToken))
        {
            short version;
            Pending pending = new Pending();
            pending.Source = client.Begin(request, out ticket, cancellation, out version);
            pending.Version = version;
            Awaitable<TurboResponse> awaitable = pending.Completion.Awaitable;
            if (pending.Source.GetStatus(version) == ValueTaskSourceStatus.Pending)
            {
                pending.Source.OnCompleted(OnCompleted, pending, version, ValueTaskSourceOnCompletedFlags.None);
            }
            else
            {
                Complete(pending);
            }
            return awaitable;
        }

        private sealed class Pending
        {
            internal readonly AwaitableCompletionSource<TurboResponse> Completion = new AwaitableCompletionSource<TurboResponse>();
            internal IValueTaskSource<TurboResponse> Source;
            internal short Version;
        }

        private static void Complete(object state)
        {
            Pending pending = (Pending)state;
            TurboResponse response;
            try
            {
                response = pending.Source.GetResult(pending.Version);
            }
            catch (OperationCanceledException)
            {
                pending.Completion.TrySetCanceled();
                return;
            }
            catch (Exception exception)
            {
                pending.Completion.TrySetException(exception);
                return;
            }
            if (!pending.Completion.TrySetResult(response))
            {
                // The awaitable was canceled meanwhile: nobody has the response.
                response.Dispose();
            }
        }
    }
}
#endif
