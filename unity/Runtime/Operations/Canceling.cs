using System;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp
{
    /// <summary>Reads with a token of their own.</summary>
    internal static class Canceling
    {
        private sealed class Target
        {
            internal TurboResponse Response;
        }

        private static readonly Action<object> Cancel = CancelTarget;

        internal static async ValueTask<int> ReadAsync(TurboResponse response, Memory<byte> target, CancellationToken cancellation)
        {
            cancellation.ThrowIfCancellationRequested();
            using (cancellation.Register(Cancel, new Target { Response = response }, false))
            {
                try
                {
                    return await response.ReadAsync(target);
                }
                catch (TurboException exception) when (IsOurs(exception, cancellation))
                {
                    throw new OperationCanceledException(exception.Message, exception, cancellation);
                }
            }
        }

        private static bool IsOurs(TurboException exception, CancellationToken cancellation)
        {
            return exception.Code == TurboError.Canceled && cancellation.IsCancellationRequested;
        }

        private static void CancelTarget(object state)
        {
            ((Target)state).Response.Cancel();
        }
    }
}
