using System;
using System.Threading;
using UnityEngine;

namespace TurboHttp.Unity
{
    /// <summary>Clients for Unity: what awaits a request runs on the main thread, in the frame its event is pumped in.</summary>
    public static class TurboUnity
    {
        private static readonly TimeSpan DisposeWait = TimeSpan.FromMilliseconds(100);
        private static TurboClient shared;
        private static bool isResetting;

        /// <summary>A client with the defaults, made when it is first asked for, on the main thread.</summary>
        public static TurboClient Shared
        {
            get
            {
                if (shared == null || shared.IsDisposed)
                {
                    shared = CreateClient(new TurboClientOptions { Name = "shared" });
                }
                return shared;
            }
        }

        /// <summary>Makes a client that is pumped once per frame. Called on the main thread.</summary>
        /// <exception cref="InvalidOperationException">This is another thread, which nothing would pump.</exception>
        /// <exception cref="TurboException">An option is wrong, or all clients are being disposed of right now.</exception>
        public static TurboClient CreateClient(TurboClientOptions options)
        {
            if (options == null)
            {
                throw new ArgumentNullException("options");
            }
            int main = PlayerLoopPump.MainThread;
            if (main != 0 && main != Thread.CurrentThread.ManagedThreadId)
            {
                throw new InvalidOperationException("A client of TurboUnity is made on the main thread.");
            }
            if (isResetting)
            {
                throw new TurboException(TurboError.Shutdown, "All clients are being disposed of.");
            }
            options.Mode = TurboMode.Pumped;
            TurboClient client = new TurboClient(options);
            PlayerLoopPump.Add(client);
            // Again, since code of the Editor makes clients outside of a run.
            TurboRuntime.UnhandledException -= Debug.LogException;
            TurboRuntime.UnhandledException += Debug.LogException;
            return client;
        }

        /// <summary>Disposes all clients and resets the statics. Safe to call at any time, on the main thread.</summary>
        public static void Reset()
        {
            // What awaits a request runs meanwhile, and may try again: a client made here would be forgotten at once.
            isResetting = true;
            try
            {
                TurboRuntime.DisposeAll(DisposeWait);
            }
            finally
            {
                isResetting = false;
            }
            PlayerLoopPump.Reset();
            shared = null;
            Application.quitting -= Reset;
            TurboRuntime.UnhandledException -= Debug.LogException;
        }

        /// <summary>Begins a run of the game, also if the domain of the last run stays loaded.</summary>
        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void Begin()
        {
            PlayerLoopPump.MainThread = Thread.CurrentThread.ManagedThreadId;
            Reset();
#if !UNITY_EDITOR
            TurboRuntime.BeginEpoch();
#endif
            Application.quitting += Reset;
            TurboRuntime.UnhandledException += Debug.LogException;
        }
    }
}
