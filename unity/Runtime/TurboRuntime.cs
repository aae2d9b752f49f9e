using System;
using System.Collections.Generic;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>What all clients of this domain have in common.</summary>
    public static class TurboRuntime
    {
        /// <summary>Names this package among those that use the native library in one process.</summary>
        internal const ulong Owner = 0x7572626F68747470;

        private static readonly object Gate = new object();
        private static readonly List<WeakReference<TurboClient>> Clients = new List<WeakReference<TurboClient>>();

        /// <summary>
        /// Gets the exceptions of continuations, which do not stop a pump. Without a subscriber they go to the error stream.
        /// </summary>
        public static event Action<Exception> UnhandledException;

        /// <summary>Native clients that exist in this process.</summary>
        public static int NativeClients
        {
            get
            {
                NativeLoader.Check();
                return (int)NativeMethods.th_client_count();
            }
        }

        /// <summary>
        /// Destroys the native clients that an earlier domain left, and returns their number. To be called when a domain
        /// begins, before it makes its first client; the Unity assemblies do.
        /// </summary>
        public static int BeginEpoch()
        {
            NativeLoader.Check();
            return NativeMethods.th_epoch_begin(Owner);
        }

        /// <summary>Disposes every client of this domain. Each waits at most <paramref name="timeout"/> for its tasks.</summary>
        public static void DisposeAll(TimeSpan timeout)
        {
            foreach (TurboClient client in Snapshot())
            {
                client.Dispose(timeout);
            }
        }

        /// <summary>The clients of this domain that were not disposed.</summary>
        public static TurboClient[] Snapshot()
        {
            lock (Gate)
            {
                List<TurboClient> living = new List<TurboClient>(Clients.Count);
                foreach (WeakReference<TurboClient> entry in Clients)
                {
                    TurboClient client;
                    if (entry.TryGetTarget(out client))
                    {
                        living.Add(client);
                    }
                }
                return living.ToArray();
            }
        }

        internal static void Add(TurboClient client)
        {
            lock (Gate)
            {
                RemoveDead(null);
                Clients.Add(new WeakReference<TurboClient>(client));
            }
        }

        internal static void Remove(TurboClient client)
        {
            lock (Gate)
            {
                RemoveDead(client);
            }
        }

        internal static void Report(Exception exception)
        {
            Action<Exception> handler = UnhandledException;
            if (handler == null)
            {
                Console.Error.WriteLine("turbohttp: a continuation failed: " + exception);
                return;
            }
            try
            {
                handler(exception);
            }
            catch (Exception second)
            {
                Console.Error.WriteLine("turbohttp: the handler of a failed continuation failed: " + second);
            }
        }

        private static void RemoveDead(TurboClient disposed)
        {
            for (int i = Clients.Count - 1; i >= 0; i--)
            {
                TurboClient client;
                if (!Clients[i].TryGetTarget(out client) || ReferenceEquals(client, disposed))
                {
                    Clients.RemoveAt(i);
                }
            }
        }
    }
}
